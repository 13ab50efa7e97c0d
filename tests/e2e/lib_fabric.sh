# shellcheck shell=bash
# shellcheck disable=SC2034 # what tests use
# What the tests of I/O units share: an adapter that serves in $run, a unit, and what else a test has started. Everything
# ends by its process ID. Sourced by lib_block.sh and lib_network.sh.

causeway=$CAUSEWAY_BIN/causeway
run=$TEST_TMP/run
export CAUSEWAY_SOCKET=$run/fabric.sock
adapter= # process IDs
unit=
others=()

# need_programs NAME...: or the test is skipped.
need_programs() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed (packages.txt, [test])"
    done
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
# end_all PID...: these and everything that is known here.
end_all() { end "${others[@]}" "$@" ${unit:+"$unit"} ${adapter:+"$adapter"}; }
# tell_of_failure: the logs of a test that has failed ($status is that of finish() in support/lib.sh).
tell_of_failure() {
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
