#!/bin/bash
# A file system on a disk of the fabric, made and used in place: mkfs.ext4, debugfs and e2fsck by nbdfuse (libnbd), and an
# SQLite database in it by fuse2fs, while the unit is killed and started again.
# timeout: 300
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
if [ "${1:-}" != inside ]; then # a mount namespace of its own, for the file systems
    unshare --mount true 2>/dev/null || { echo "SKIP: no mount namespaces for this user here" && exit 77; }
    exec unshare --mount bash "${BASH_SOURCE[0]}" inside
fi
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_block.sh"
PATH=$PATH:/usr/sbin:/sbin
need nbdinfo nbdfuse fuse2fs mkfs.ext4 e2fsck debugfs sqlite3
need_fuse

insert() { # COUNT: as one transaction
    sqlite3 "$TEST_TMP/files/db" "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)
        insert into t(v) select randomblob(500) from n;" >"$TEST_TMP/sqlite.log" 2>&1
}
for executor in adapter direct; do
    truncate -s 64M "$images/a.img"
    start_adapter
    start_unit --name a --file "$images/a.img"
    start_nbdkit one a
    start_nbdfuse disk "$uri"
    disk=$TEST_TMP/disk/nbd

    mkfs.ext4 -q -F "$disk"
    head -c 3M /dev/urandom >"$TEST_TMP/source"
    debugfs -w -R "write $TEST_TMP/source source" "$disk" >"$TEST_TMP/debugfs.log" 2>&1
    e2fsck -fn "$disk" >"$TEST_TMP/e2fsck.log" 2>&1 || fail "e2fsck of the disk"
    debugfs -R "dump source $TEST_TMP/back" "$disk" >"$TEST_TMP/debugfs.log" 2>&1
    expect_same "$TEST_TMP/source" "$TEST_TMP/back" "what debugfs put there"
    echo "$executor: mkfs.ext4, debugfs and e2fsck on the disk itself"

    mkdir -p "$TEST_TMP/files"
    fuse2fs "$disk" "$TEST_TMP/files" -f -o fakeroot >"$TEST_TMP/fuse2fs.log" 2>&1 &
    others+=("$!")
    until_true "the file system" mountpoint -q "$TEST_TMP/files"
    mounts+=("$TEST_TMP/files")
    sqlite3 "$TEST_TMP/files/db" "create table t(k integer primary key, v blob);"
    for round in 1 2 3 4 5; do
        insert 1000 &
        inserting=$!
        sleep "0.0$((RANDOM % 10))"
        kill_hard "$unit"
        start_unit --name a --file "$images/a.img"
        wait "$inserting" || fail "a transaction has failed: $(<"$TEST_TMP/sqlite.log")"
    done
    [ "$(sqlite3 "$TEST_TMP/files/db" 'pragma integrity_check; select count(*) from t;')" = $'ok\n5000' ] ||
        fail "the database is damaged"
    cp "$TEST_TMP/files/db" "$TEST_TMP/db"
    unmount "$TEST_TMP/files"
    unmount "$TEST_TMP/disk"
    stop_nbdkit one
    end "$unit" "$adapter" "${others[@]}"
    others=()
    unit=
    adapter=
    e2fsck -fn "$images/a.img" >"$TEST_TMP/e2fsck.log" 2>&1 || fail "e2fsck of the image"
    debugfs -R "dump db $TEST_TMP/back" "$images/a.img" >"$TEST_TMP/debugfs.log" 2>&1
    expect_same "$TEST_TMP/db" "$TEST_TMP/back" "the database in the image"
    rm "$images/a.img"
    echo "$executor: an SQLite database in it, while the unit was killed $round times"
done
