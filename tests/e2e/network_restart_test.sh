#!/bin/bash
# What a network does when one of its parts is killed and started again, while a TCP connection is under way: the unit,
# the adapter, a host module.
# timeout: 300
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_network.sh"
need iperf3 ping ss

# under_a_stream WHAT COMMAND...: kills and starts something, while iperf3 sends from a to b; once it is back, more has to
# come over the same connection, and iperf3 has to end well. Where the machine was so slow that the time was over before
# that: once more, for longer.
stream_ended() { ! kill -0 "$stream" 2>/dev/null; }
moved_or_over() { has_received b "$1" || stream_ended; }
under_a_stream() {
    local what=$1 seconds over now
    shift
    for seconds in 6 40; do
        start_iperf b
        ip netns exec "${family}a" iperf3 -J -c 10.9.0.2 -p "$iperf_port" -t "$seconds" >"$TEST_TMP/stream.json" 2>>"$TEST_TMP/stream.log" &
        stream=$!
        others+=("$stream")
        more_than_now b 1000000
        "$@"
        now=$(received_by b)
        until_true "more over the connection after $what" moved_or_over "$((now + 1000000))"
        over=0
        ! stream_ended || over=1
        wait "$stream" || fail "$what: iperf3's status is $?; $(grep error "$TEST_TMP/stream.json")"
        end "$started"
        [ "$over" = 1 ] || return 0
    done
    fail "$what: nothing came over the connection any more"
}
expect_same_interfaces() {
    local name
    for name in a b; do
        [ "$(index_of $name)" = "${index[$name]}" ] || fail "$1: the interface of $name is another one"
    done
}
declare -A index=()
kill_unit() {
    local name
    kill -KILL "$unit"
    wait "$unit" 2>/dev/null || true
    for name in a b; do until_true "no carrier at $name" carrier_is_off "$name"; done
    expect_same_interfaces "without a unit"
    start_unit
    for name in a b; do until_true "a carrier at $name again" carrier_is_on "$name"; done
    expect_same_interfaces "with another unit"
}
kill_adapter() {
    local name
    kill -KILL "$adapter"
    wait "$adapter" 2>/dev/null || true
    [ "$executor" = adapter ] || until_true "an answer without an adapter" reaches a 10.9.0.2
    start_adapter
    for name in a b; do until_true "a carrier at $name again" carrier_is_on "$name"; done
    expect_same_interfaces "with another adapter"
}

for executor in adapter direct; do
    start_adapter
    start_unit
    start_guest a 10.9.0.1/24
    start_guest b 10.9.0.2/24
    until_true "a first answer" reaches a 10.9.0.2
    for name in a b; do index[$name]=$(index_of $name); done
    under_a_stream "the unit was killed" kill_unit
    echo "$executor: the unit was killed and started again; the connection went on"
    under_a_stream "the adapter was killed" kill_adapter
    echo "$executor: the adapter was killed and started again; the connection went on"

    # --- a host module: its interface goes with it, the others stay
    kill -KILL "${guest_pid[b]}"
    wait "${guest_pid[b]}" 2>/dev/null || true
    until_true "no interface at b" link_is_gone b
    carrier_is_on a || fail "a has lost its carrier with b"
    start_guest b 10.9.0.2/24
    until_true "an answer of b again" reaches a 10.9.0.2
    [ "$(index_of a)" = "${index[a]}" ] || fail "the interface of a is another one"
    iperf a b 10.9.0.2 -t 1
    echo "$executor: a host module was killed and started again"

    end "${guest_pid[a]}" "${guest_pid[b]}"
    guest_pid=()
    stop_unit
    [ "$(port_figure b 'not p["connected"] and p["frames_in"] > 0')" = True ] ||
        fail "the figures of b went with it: $(<"$TEST_TMP/unit.json")"
    end "$adapter"
    adapter=
done
