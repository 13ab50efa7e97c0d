#!/bin/bash
# Three partitions and an uplink, a TAP and a veth: everybody reaches everybody; isolated, the uplink only. And a
# partition that sends from an address that is not its own.
# timeout: 300
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_network.sh"
need iperf3 ping ss

guests=(a b c)
declare -A address=([a]=10.9.0.1 [b]=10.9.0.2 [c]=10.9.0.3)
uplink=10.9.0.254
carriers_on() { carrier_is_on a && carrier_is_on b && carrier_is_on c; }
mac_of() { exec_within "$1" cat "/sys/class/net/${2:-cw0}/address"; }

expect_open() { # OUTSIDE: the namespace that has the uplink's address
    local from to
    for from in "${guests[@]}"; do
        until_true "$from reaches the uplink" reaches "$from" "$uplink"
        until_true "the uplink reaches $from" reaches "$1" "${address[$from]}"
        for to in "${guests[@]}"; do
            [ "$from" = "$to" ] || until_true "$from reaches $to" reaches "$from" "${address[$to]}"
        done
    done
}
# Also with the other's address known, so that what is tried is unicast.
expect_isolated() { # OUTSIDE
    local from to
    for from in "${guests[@]}"; do
        until_true "$from reaches the uplink" reaches "$from" "$uplink"
        until_true "the uplink reaches $from" reaches "$1" "${address[$from]}"
    done
    exec_within a ip neigh flush dev cw0
    ! reaches a "${address[b]}" || fail "a reaches b, although both are isolated"
    exec_within a ip neigh replace "${address[b]}" lladdr "$(mac_of b)" dev cw0
    exec_within b ip neigh replace "${address[a]}" lladdr "$(mac_of a)" dev cw0
    ! reaches a "${address[b]}" || fail "a reaches b, although both are isolated, by its address"
    exec_within a ip neigh del "${address[b]}" dev cw0
    exec_within b ip neigh del "${address[a]}" dev cw0
}
streams() { # OUTSIDE: TCP and UDP, through the uplink, both ways
    local way
    for way in "" -R; do
        iperf a "$1" "$uplink" -t 1 $way
        echo "uplink in $1, TCP $way: $((bytes / 125000)) Mbit/s"
        iperf b "$1" "$uplink" -t 1 -u -b 100M -l 1400 $way
    done
}
stop_isolated_unit() {
    stop_unit
    [ "$(port_figure a 'p["dropped"].get("isolated", 0) > 0')" = True ] ||
        fail "what isolation stopped is not counted: $(<"$TEST_TMP/unit.json")"
}

start_adapter

# --- a TAP
uplink_tap() { # OPTIONS...
    start_unit --uplink tap:cwup "$@"
    exec_within unit ip address add "$uplink/24" dev cwup
}
uplink_tap
for name in "${guests[@]}"; do start_guest "$name" "${address[$name]}/24"; done
expect_open unit
streams unit

# A frame from another's address, then one from its own: only that arrives at b, and the other is counted.
cat >"$TEST_TMP/spoof.py" <<'PYTHON'
import socket, sys
kind, to = b"\x88\xb5", bytes.fromhex(sys.argv[2].replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
s.bind(("cw0", 0x88b5))
if sys.argv[1] == "send":
    own = bytes.fromhex(sys.argv[3].replace(":", ""))
    others = [bytes.fromhex("02000000" + "%04x" % i) for i in range(9)] + [bytes.fromhex(sys.argv[4].replace(":", ""))]
    for other in others:
        assert s.send(to + other + kind + b"forged" * 20) == 134
    assert s.send(to + own + kind + b"honest" * 20) == 134
else:
    s.settimeout(30)
    print("waiting", flush=True)
    frame = s.recv(2000)
    assert frame[14:] == b"honest" * 20, frame
PYTHON
background b python3 "$TEST_TMP/spoof.py" receive "$(mac_of b)" >"$TEST_TMP/receiver.log" 2>&1
receiver=$started
until_true "a receiver" grep -q waiting "$TEST_TMP/receiver.log"
exec_within a python3 "$TEST_TMP/spoof.py" send "$(mac_of b)" "$(mac_of a)" "$(mac_of c)" || fail "sending forged frames"
wait "$receiver" || fail "b got a forged frame: $(<"$TEST_TMP/receiver.log")"
until_true "c is still reached" reaches b "${address[c]}"
stop_unit
[ "$(port_figure a 'p["dropped"].get("spoofed")')" = 10 ] || fail "10 forged frames, and: $(<"$TEST_TMP/unit.json")"
[ "$(port_figure c 'p["dropped"].get("spoofed", 0)')" = 0 ] || fail "c is blamed: $(<"$TEST_TMP/unit.json")"
[ "$(port_figure '' 'p["frames_in"] > 0 and p["frames_out"] > 0')" = True ] || fail "no uplink: $(<"$TEST_TMP/unit.json")"
echo "uplink tap: open; forged frames dropped and counted"

uplink_tap --isolate
until_true "carriers" carriers_on
expect_isolated unit
stop_isolated_unit
echo "uplink tap: isolated"

# --- a veth, at whose other end another namespace is
space outside
exec_within unit ip link add cwup0 type veth peer name cwup1 netns "${family}outside"
exec_within unit ip link set cwup0 up
exec_within outside ip link set cwup1 up
exec_within outside ip address add "$uplink/24" dev cwup1
for name in "${guests[@]}"; do exec_within "$name" ip neigh flush dev cw0; done
start_unit --uplink veth:cwup0
until_true "carriers" carriers_on
expect_open outside
streams outside
stop_unit
echo "uplink veth: open"
start_unit --uplink veth:cwup0 --isolate
until_true "carriers" carriers_on
expect_isolated outside
stop_isolated_unit
echo "uplink veth: isolated"
