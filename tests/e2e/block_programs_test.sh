#!/bin/bash
# What programs do with a disk of the fabric through nbdkit: file systems, copies, images, a database; and several hosts
# of one disk.
# timeout: 300
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_block.sh"
PATH=$PATH:/usr/sbin:/sbin
need nbdinfo nbdcopy qemu-img qemu-io mkfs.ext4 e2fsck debugfs sqlite3 fio python3

# Several MiB of data, a hole, and data again.
head -c 5M /dev/urandom >"$TEST_TMP/source"
truncate -s 40M "$TEST_TMP/source"
head -c 3M /dev/urandom >>"$TEST_TMP/source"
truncate -s 64M "$TEST_TMP/source"

for executor in adapter direct; do
    truncate -s 64M "$images/a.img" "$images/b.img"
    start_adapter
    start_unit --disk a="$images/a.img" --disk b="$images/b.img"
    start_nbdkit one a
    a=$uri
    start_nbdkit two b
    b=$uri

    # --- copies, both ways, and from disk to disk
    nbdcopy --flush "$TEST_TMP/source" "$a"
    expect_same "$TEST_TMP/source" "$images/a.img" "nbdcopy to the disk"
    nbdcopy "$a" "$TEST_TMP/back"
    expect_same "$TEST_TMP/source" "$TEST_TMP/back" "nbdcopy from the disk"
    nbdcopy --flush --connections=4 "$a" "$b"
    expect_same "$TEST_TMP/source" "$images/b.img" "nbdcopy from disk to disk"
    expect_contains "$(nbdinfo --map "$a")" "hole,zero"
    expect_contains "$(nbdinfo "$a")" "can_multi_conn: true"
    [ "$(stat -c %b "$images/b.img")" -lt 100000 ] || fail "the hole was copied as data"
    echo "$executor: nbdcopy both ways and from disk to disk, with the hole"

    # --- images
    qemu-img convert -n -f raw -O raw "$TEST_TMP/source" "$b"
    qemu-img compare -f raw -F raw "$TEST_TMP/source" "$b" >/dev/null || fail "qemu-img compare"
    qemu-img convert -f raw -O qcow2 "$b" "$TEST_TMP/b.qcow2"
    qemu-img check -q "$TEST_TMP/b.qcow2" || fail "qemu-img check"
    qemu-img compare -f qcow2 -F raw "$TEST_TMP/b.qcow2" "$a" >/dev/null || fail "qemu-img compare with qcow2"
    # A qcow2 on the disk itself: small writes, discards and zeros by qemu.
    qemu-img create -q -f qcow2 "$b" 32M
    qemu-io -f qcow2 -c "write -P 7 64k 3M" -c "write -z 1M 1M" -c "discard 2M 64k" -c "write -P 9 -f 12345 999" \
        -c flush "$b" >/dev/null
    said=$(qemu-io -f qcow2 -c "read -P 7 64k 960k" -c "read -P 0 1M 1M" -c "read -P 9 12345 999" "$b")
    [[ $said != *"verification failed"* ]] || fail "qemu-io: $said"
    qemu-img check -q -f qcow2 "$b" || fail "qemu-img check of the disk"
    echo "$executor: qemu-img convert, compare, check; qemu-io on qcow2"

    # --- a file system with a database in it, made in an image and brought over; then read from the disk again
    rm -f "$TEST_TMP/db" "$TEST_TMP/db.back"
    sqlite3 "$TEST_TMP/db" "create table t(k integer primary key, v blob);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
        insert into t select i, randomblob(500) from n;"
    rm -f "$TEST_TMP/ext4"
    truncate -s 64M "$TEST_TMP/ext4"
    mkfs.ext4 -q -F "$TEST_TMP/ext4"
    debugfs -w -R "write $TEST_TMP/db db" "$TEST_TMP/ext4" >/dev/null 2>&1
    nbdcopy --flush "$TEST_TMP/ext4" "$a"
    e2fsck -fn "$images/a.img" >/dev/null 2>&1 || fail "e2fsck of what came to the image"
    nbdcopy "$a" "$TEST_TMP/back"
    e2fsck -fn "$TEST_TMP/back" >/dev/null 2>&1 || fail "e2fsck of what came back"
    debugfs -R "dump db $TEST_TMP/db.back" "$TEST_TMP/back" >/dev/null 2>&1
    expect_same "$TEST_TMP/db" "$TEST_TMP/db.back" "the database"
    [ "$(sqlite3 "$TEST_TMP/db.back" 'pragma integrity_check; select count(*) from t;')" = $'ok\n5000' ] ||
        fail "the database is damaged"
    echo "$executor: mkfs.ext4, debugfs, e2fsck, sqlite3"

    fio --name=verify --ioengine=nbd --uri="$b" --rw=randwrite --bs=4k-64k --bsrange=4k-64k --iodepth=16 --size=32M \
        --verify=crc32c --verify_fatal=1 --verify_state_save=0 --do_verify=1 >"$TEST_TMP/fio.log" 2>&1 || fail "fio --verify"
    echo "$executor: fio --verify"

    # --- over TLS, which is nbdkit's: with a key of both, and not without
    rm -f "$TEST_TMP/tls.sock"
    printf 'somebody:%s\n' "$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" >"$TEST_TMP/keys.psk"
    said=$(nbdkit -f -U "$TEST_TMP/tls.sock" --tls=require --tls-psk="$TEST_TMP/keys.psk" "$plugin" storage/a attach=tls \
        access=read --run "nbdcopy 'nbds+unix://somebody@/?socket=$TEST_TMP/tls.sock&tls-psk-file=$TEST_TMP/keys.psk' \
        '$TEST_TMP/back' && ! nbdinfo 'nbd+unix:///?socket=$TEST_TMP/tls.sock'" 2>&1) || fail "over TLS: $said"
    expect_same "$images/a.img" "$TEST_TMP/back" "a copy over TLS"
    echo "$executor: nbdcopy over TLS"

    # --- one writer, any number of readers
    said=$(nbdkit -f -U - "$plugin" storage/a attach=three access=write --run true 2>&1) &&
        fail "a second partition may write"
    expect_contains "$said" "is written to by partition one"
    start_nbdkit four a # access=most: reads
    four=$uri
    start_nbdkit five a access=read
    [ "$(nbdinfo --json "$four" | grep -c '"is_read_only": true')" = 1 ] || fail "the second host may write"
    if qemu-io -f raw -c "write -P 1 0 4k" "$four" >"$TEST_TMP/said" 2>&1; then fail "a reader has written"; fi
    qemu-io -f raw -c "write -P 77 8k 4k" -c flush "$a" >/dev/null
    for reader in "$four" "$uri"; do
        [[ $(qemu-io -r -f raw -c "read -P 77 8k 4k" "$reader") != *"verification failed"* ]] ||
            fail "a reader does not see what was written"
    done
    nbdcopy "$four" "$TEST_TMP/back"
    expect_same "$images/a.img" "$TEST_TMP/back" "a reader's copy"
    stop_nbdkit one
    stop_nbdkit four
    start_nbdkit four a access=write # the place is free now
    echo "$executor: one writer, two readers"
    for name in two four five; do stop_nbdkit "$name"; done
    end "$unit"

    # --- writers that share
    start_unit --disk a="$images/a.img" --share
    start_nbdkit one a access=shared
    a=$uri
    start_nbdkit two a access=shared
    qemu-io -f raw -c "write -P 1 0 1M" -c flush "$a" >/dev/null &
    others=("$!")
    qemu-io -f raw -c "write -P 2 1M 1M" -c flush "$uri" >/dev/null
    wait "${others[0]}" || fail "a writer that shares has failed"
    others=()
    [[ $(qemu-io -r -f raw -c "read -P 1 0 1M" -c "read -P 2 1M 1M" "$uri") != *"verification failed"* ]] ||
        fail "what two writers wrote is not there"
    said=$(nbdkit -f -U - "$plugin" storage/a attach=three access=write --run true 2>&1) && fail "a writer that does not share"
    expect_contains "$said" "is written to by partition"
    echo "$executor: two writers that share"
    for name in one two; do stop_nbdkit "$name"; done
    end "$unit" "$adapter"
    unit=
    adapter=
    rm -f "$images"/?.img
done
