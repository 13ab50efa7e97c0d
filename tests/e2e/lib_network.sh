# shellcheck shell=bash
# What the tests of networks share; source it after support/lib.sh.
#
# Each test has network namespaces of its own, and nothing outside them is touched; they are removed at the end.
# The partition `net` serves network/lan0 in a namespace of its own; each guest is a partition with a namespace, both of
# that name.

# shellcheck source=tests/e2e/lib_fabric.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_fabric.sh"

declare -A guest_pid=() # of `causeway netdev`, by guest
spaces=()
family=cwt$$ # what the namespaces' names begin with
mtu=1500
executor=adapter

need() {
    [ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
    [ -w /dev/net/tun ] || skip "no /dev/net/tun here"
    need_programs ip python3 "$@"
    ip netns add "${family}try" 2>"$TEST_TMP/netns" || skip "no network namespaces here: $(<"$TEST_TMP/netns")"
    spaces+=("${family}try")
    ip netns exec "${family}try" true 2>"$TEST_TMP/netns" || skip "no network namespaces here: $(<"$TEST_TMP/netns")"
}

at_exit() { # finish() of support/lib.sh calls it, and has the status
    end_all "${guest_pid[@]}"
    local space
    for space in "${spaces[@]}"; do ip netns del "$space" 2>/dev/null || true; done
    tell_of_failure
}

space() { # NAME
    ip netns add "$family$1"
    spaces+=("$family$1")
    ip -n "$family$1" link set lo up
}
# exec_within NAME COMMAND...: in its namespace.
exec_within() { ip netns exec "$family$1" "${@:2}"; }
background() { # NAME COMMAND...: sets $started
    ip netns exec "$family$1" "${@:2}" &
    started=$!
    others+=("$started")
}

start_unit() { # OPTIONS...
    [ -n "${unit_space:-}" ] || { space unit && unit_space=unit; }
    : >"$TEST_TMP/unit.log"
    ip netns exec "$family$unit_space" "$causeway" unit network --attach net --mtu "$mtu" --executor "$executor" --json \
        "$@" >"$TEST_TMP/unit.json" 2>"$TEST_TMP/unit.log" &
    unit=$!
    until_true "a network unit" unit_is_up
}
# Ends the unit; its figures are then in $TEST_TMP/unit.json.
stop_unit() {
    kill "$unit"
    wait "$unit" || true
    unit=
}

link_flags() { ip -n "$family$1" -json link show "${2:-cw0}" 2>/dev/null; }
carrier_is_on() { [[ $(link_flags "$1") == *'"LOWER_UP"'* ]]; }
carrier_is_off() { [[ $(link_flags "$1") == *'"NO-CARRIER"'* ]]; }
link_is_gone() { ! ip -n "$family$1" link show cw0 >/dev/null 2>&1; }
index_of() { link_flags "$1" | grep -oE '"ifindex":[0-9]+' | head -n 1; }
received_by() { ip netns exec "$family$1" cat /sys/class/net/cw0/statistics/rx_bytes; }
has_received() { [ "$(received_by "$1")" -ge "$2" ]; } # NAME BYTES
more_than_now() { # NAME BYTES: waits until so many more have come
    local now
    now=$(received_by "$1")
    until_true "$2 more bytes at $1" has_received "$1" "$((now + $2))"
}

# start_guest NAME ADDRESS OPTIONS...: in its namespace, which is made where it is not there.
start_guest() {
    local name=$1 address=$2
    shift 2
    [[ " ${spaces[*]} " == *" $family$name "* ]] || space "$name"
    ip netns exec "$family$name" "$causeway" netdev --attach "$name" --unit net/lan0 --address "$address" --mtu "$mtu" \
        --executor "$executor" --json "$@" >"$TEST_TMP/$name.json" 2>>"$TEST_TMP/$name.log" &
    guest_pid[$name]=$!
    until_true "a carrier at $name" carrier_is_on "$name"
}

# reaches FROM ADDRESS: a first answer, also where an interface has just come.
reaches() { exec_within "$1" ping -n -q -c 1 -W 1 "$2" >/dev/null 2>&1; }

listens() { exec_within "$1" ss -Hltn "sport = :$2" | grep -q .; } # NAME PORT
# start_iperf NAME: a server for one measurement (between two it takes none, and says that by a reset); sets $iperf_port
# and $started.
iperf_port=5200
start_iperf() {
    iperf_port=$((iperf_port + 1))
    background "$1" iperf3 -s -1 -p "$iperf_port" >"$TEST_TMP/iperf-server.log" 2>&1
    until_true "an iperf3 server" listens "$1" "$iperf_port"
}
# iperf FROM TO ADDRESS OPTIONS...: sets $bytes, what came to its receiver.
iperf() {
    local from=$1 to=$2 address=$3
    shift 3
    start_iperf "$to"
    iperf_client "$from" -p "$iperf_port" -c "$address" "$@"
    end "$started"
}
iperf_client() {
    local from=$1
    shift
    exec_within "$from" iperf3 -J "$@" >"$TEST_TMP/iperf.json" || true # what it says tells
    bytes=$(python3 -c '
import json, sys
end = json.load(open(sys.argv[1]))["end"]
if "sum_received" in end:
    print(end["sum_received"]["bytes"])
else:
    total = end["sum"]
    print(total["bytes"] * (total["packets"] - total["lost_packets"]) // max(total["packets"], 1))' \
        "$TEST_TMP/iperf.json" 2>/dev/null) || fail "iperf3 $* says: $(<"$TEST_TMP/iperf.json")"
    [ "$bytes" -gt 0 ] || fail "iperf3 $*: nothing came; $(<"$TEST_TMP/iperf.json")"
}

# port_figure PARTITION EXPRESSION: of the unit's figures, which stop_unit() has brought; `p` is the port.
port_figure() {
    python3 -c '
import json, sys
for p in json.load(open(sys.argv[1]))["ports"]:
    if p["partition"] == sys.argv[2]:
        print(eval(sys.argv[3]))
        break
else:
    sys.exit("there is no such port")' "$TEST_TMP/unit.json" "$1" "$2"
}
