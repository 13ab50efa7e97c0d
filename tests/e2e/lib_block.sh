# shellcheck shell=bash
# shellcheck disable=SC2034 # what tests use
# What the tests of disks share; source it after support/lib.sh.
#
# Everything that was started ends by its process ID. The adapter serves in $run; the partition `storage` serves disks of
# images in $images; each nbdkit is a partition of its own, which listens on a Unix socket.

causeway=$CAUSEWAY_BIN/causeway
plugin=$CAUSEWAY_LIB/nbdkit-causeway-plugin.so
run=$TEST_TMP/run
images=$TEST_TMP # where the disks lie
export CAUSEWAY_SOCKET=$run/fabric.sock
export LD_LIBRARY_PATH=$CAUSEWAY_LIB
export LIBGUESTFS_BACKEND=direct
adapter= # process IDs
unit=
others=()
declare -A nbdkit_pid=() # by name
mounted=                 # a file system that goes with the test
executor=any

need() {
    local program
    for program in nbdkit "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed (packages.txt, [test])"
    done
    [ -e "$plugin" ] || skip "this build has no plugin of nbdkit (packages.txt, [build]: nbdkit-plugin-dev)"
}

# end PID...: and waits for it; a stopped or killed one is fine.
end() {
    local pid
    for pid in "$@"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
# kill_hard PID: as a crash.
kill_hard() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null || true
}
at_exit() { # finish() of support/lib.sh calls it, and has the status
    end "${others[@]}" "${nbdkit_pid[@]}" ${unit:+"$unit"} ${adapter:+"$adapter"}
    # The kernel lets go of what a ring of io_uring held a moment after its process.
    [ -z "$mounted" ] || until_true "the end of $mounted" umount "$mounted" 2>>"$TEST_TMP/umount.log"
    if [ "${status:-0}" != 0 ] && [ "${status:-0}" != 77 ]; then tail -n 20 "$TEST_TMP"/*.log >&2 || true; fi
}

# until_true WHAT COMMAND...: waits until it succeeds; a watchdog ends the test.
until_true() {
    local what=$1
    shift
    for _ in $(seq 1500); do
        ! "$@" || return 0
        sleep 0.02
    done
    fail "did not come about: $what"
}

socket_there() { [ -S "$CAUSEWAY_SOCKET" ] && "$causeway" info >/dev/null 2>&1; }
start_adapter() {
    "$CAUSEWAY_BIN/causewayd" --runtime-dir "$run" --log-level error "$@" 2>>"$TEST_TMP/adapter.log" &
    adapter=$!
    until_true "an adapter" socket_there
}
unit_is_up() { grep -q "is up" "$TEST_TMP/unit.log"; }
# start_unit OPTIONS...: the disks, and how they are served.
start_unit() {
    : >"$TEST_TMP/unit.log"
    "$causeway" unit block --attach storage --executor "$executor" "$@" 2>"$TEST_TMP/unit.log" &
    unit=$!
    until_true "a block unit" unit_is_up
}

uri_of() { printf 'nbd+unix:///?socket=%s' "$TEST_TMP/$1.sock"; }
answers() { nbdinfo --size "$(uri_of "$1")" >/dev/null 2>&1; }
# start_nbdkit NAME DISK PARAMETERS...: as the partition NAME; sets $uri.
start_nbdkit() {
    local name=$1 disk=$2
    shift 2
    rm -f "$TEST_TMP/$name.sock"
    nbdkit -f -U "$TEST_TMP/$name.sock" "$plugin" "storage/$disk" attach="$name" executor="$executor" "$@" \
        2>>"$TEST_TMP/$name.log" &
    nbdkit_pid[$name]=$!
    until_true "nbdkit for $name" answers "$name"
    uri=$(uri_of "$name")
}
stop_nbdkit() { # NAME
    end "${nbdkit_pid[$1]}"
    unset "nbdkit_pid[$1]"
}

checksum() { sha256sum <"$1" | cut -d ' ' -f 1; }
expect_same() { # FILE FILE WHAT
    [ "$(checksum "$1")" = "$(checksum "$2")" ] || fail "$3: the bytes differ"
}
