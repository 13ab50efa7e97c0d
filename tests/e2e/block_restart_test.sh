#!/bin/bash
# What a disk does when its unit or the adapter is killed and started again, again and again, while fio writes through
# nbdkit and verifies what it reads back. CAUSEWAY_KILLS says how often the unit is killed.
# timeout: 900
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_block.sh"
need nbdinfo nbdcopy fio
kills=${CAUSEWAY_KILLS:-10}

# fio in rounds, until it is told to end: random writes, each round read back and compared, over the same connection for
# as long as the round takes.
begin_load() { # NAME
    rm -f "$TEST_TMP/enough" "$TEST_TMP/rounds"
    (
        round=0
        while [ ! -e "$TEST_TMP/enough" ]; do
            round=$((round + 1))
            timeout 120 fio --name=verify --ioengine=nbd --uri="$(uri_of "$1")" --rw=randwrite --bsrange=4k-64k \
                --iodepth=16 --size=48M --io_size=96M --randseed="$round" --fsync=64 --verify=crc32c \
                --verify_fatal=1 --verify_state_save=0 --do_verify=1 >"$TEST_TMP/fio.log" 2>&1 || exit 1
            echo "$round" >"$TEST_TMP/rounds"
        done
    ) &
    load=$!
    others+=("$load")
}
end_load() {
    touch "$TEST_TMP/enough"
    wait "$load" || fail "$1: fio has failed or hung: $(<"$TEST_TMP/fio.log")"
    others=()
}
goes_on() { kill -0 "$load" 2>/dev/null || fail "$1: fio has failed: $(<"$TEST_TMP/fio.log")"; }
# pause BELOW: for up to so many milliseconds.
pause() { sleep "0.$(printf '%03d' $((RANDOM % $1)))"; }

for executor in adapter direct; do
    truncate -s 64M "$images/disk.img"
    start_adapter
    start_unit --name disk0 --file "$images/disk.img"
    start_nbdkit host disk0
    begin_load host
    for round in $(seq "$kills"); do
        pause 400
        kill_hard "$unit"
        pause 100
        start_unit --name disk0 --file "$images/disk.img"
        goes_on "the unit was killed $round times"
    done
    end_load "the unit was killed"
    echo "$executor: the unit was killed $kills times, fio verified $(<"$TEST_TMP/rounds") rounds"

    begin_load host
    for round in 1 2 3; do
        pause 900
        kill_hard "$adapter"
        pause 300
        start_adapter
        until_true "a unit after the adapter" answers host
        goes_on "the adapter was killed $round times"
    done
    end_load "the adapter was killed"
    echo "$executor: the adapter was killed 3 times, fio verified $(<"$TEST_TMP/rounds") rounds"

    # --- what waits for a unit in vain: an error, after the time that was given
    stop_nbdkit host
    start_nbdkit host disk0 timeout=1
    end "$unit"
    if nbdcopy "$uri" null: >"$TEST_TMP/said" 2>&1; then fail "a disk without a unit was read"; fi
    start_unit --name disk0 --file "$images/disk.img"
    until_true "a unit again" nbdcopy "$uri" null:
    # --- and nbdkit ends at once where it is told to, also then
    stop_nbdkit host
    start_nbdkit host disk0
    end "$unit"
    unit=
    nbdcopy "$uri" null: >/dev/null 2>&1 &
    others=("$!")
    sleep 0.3
    kill "${nbdkit_pid[host]}"
    gone() { ! kill -0 "${nbdkit_pid[host]}" 2>/dev/null; }
    until_true "nbdkit's end without a unit" gone
    stop_nbdkit host
    end "${others[@]}" "$adapter"
    others=()
    adapter=
    echo "$executor: without a unit requests end in time, and nbdkit where it is told to"
done
