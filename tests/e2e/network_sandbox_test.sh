#!/bin/bash
# Host modules of sandboxes: inside one that has a network namespace of its own, /dev/net/tun and CAP_NET_ADMIN there; and
# from outside, for one that has nothing.
# timeout: 300
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_network.sh"
need iperf3 ping ss bwrap

sandbox=(bwrap --unshare-user --unshare-net --unshare-pid --unshare-ipc --unshare-uts --die-with-parent --ro-bind / /
    --proc /proc --dev /dev)
"${sandbox[@]}" true 2>"$TEST_TMP/bwrap" || skip "bubblewrap sandboxes are refused here: $(<"$TEST_TMP/bwrap")"

start_adapter --entrance inner --entrance outer
start_unit
start_guest a 10.9.0.1/24
start_iperf a # 5201
start_iperf a # 5202

# --- inside: the host module is the sandbox's own, at its entrance, as a user without any right outside
able=("${sandbox[@]}" --uid 0 --gid 0 --cap-drop ALL --cap-add CAP_NET_ADMIN --dev-bind /dev/net/tun /dev/net/tun
    --tmpfs /tmp --ro-bind "$run/inner" /tmp/fabric --ro-bind "$causeway" /tmp/causeway
    --setenv CAUSEWAY_SOCKET /tmp/fabric/fabric.sock --setenv LD_LIBRARY_PATH "$CAUSEWAY_LIB")
cat >"$TEST_TMP/inner.sh" <<'SCRIPT'
set -eu
/tmp/causeway netdev --unit net/lan0 --address 10.9.0.2/24 --executor "$1" --json &
netdev=$!
for _ in $(seq 1500); do
    case $(ip -json link show cw0 2>/dev/null) in *'"LOWER_UP"'*) break ;; esac
    kill -0 $netdev
    sleep 0.02
done
ip -json link show cw0 | grep -q '"LOWER_UP"'
iperf3 -c 10.9.0.1 -p 5201 -t 1 >/dev/null
iperf3 -c 10.9.0.1 -p 5202 -t 1 -R >/dev/null
echo ready >&2
read -r _ || true
kill $netdev
wait $netdev || true
SCRIPT
mkfifo "$TEST_TMP/hold"
"${able[@]}" bash -c "$(<"$TEST_TMP/inner.sh")" inner "$executor" <"$TEST_TMP/hold" >"$TEST_TMP/inner.json" 2>"$TEST_TMP/inner.log" &
inner=$!
others+=("$inner")
exec 9>"$TEST_TMP/hold"
is_ready() { grep -q ready "$TEST_TMP/inner.log" || ! kill -0 "$inner" 2>/dev/null; }
until_true "the sandbox's traffic" is_ready
kill -0 "$inner" 2>/dev/null || fail "inside the sandbox: $(<"$TEST_TMP/inner.log")"
until_true "the sandbox is reached" reaches a 10.9.0.2
exec 9>&-
wait "$inner" || fail "inside the sandbox: status $?, $(<"$TEST_TMP/inner.log")"
expect_contains "$(<"$TEST_TMP/inner.json")" '"connections": 1'
echo "a host module inside a sandbox: iperf3 both ways"

# Without the capability, and without the device, it says what is missing.
said=$("${sandbox[@]}" --uid 1000 --gid 1000 --cap-drop ALL --dev-bind /dev/net/tun /dev/net/tun "$causeway" netdev \
    --unit net/lan0 2>&1) && fail "an interface was made without CAP_NET_ADMIN"
expect_contains "$said" "CAP_NET_ADMIN"
said=$("${sandbox[@]}" --uid 0 --gid 0 --cap-add CAP_NET_ADMIN "$causeway" netdev --unit net/lan0 2>&1) &&
    fail "an interface was made without /dev/net/tun"
expect_contains "$said" "/dev/net/tun"

# --- from outside: the sandbox has neither, and finds an interface
"${sandbox[@]}" --uid 1000 --gid 1000 --cap-drop ALL --tmpfs /tmp --info-fd 7 \
    bash -c 'iperf3 -s -1 -p 6001 & iperf3 -s -1 -p 6002 & exec sleep 600' 7>"$TEST_TMP/info" >"$TEST_TMP/outer.log" 2>&1 &
others+=("$!")
child_of() { grep -oE '"child-pid": [0-9]+' "$TEST_TMP/info" | grep -oE '[0-9]+$'; }
has_child() { [ -n "$(child_of)" ]; }
until_true "a sandbox" has_child
child=$(child_of)
CAUSEWAY_SOCKET=$run/outer/fabric.sock "$causeway" netdev --unit net/lan0 --netns "$child" --name "$family" --address 10.9.0.3/24 \
    --executor "$executor" --json >"$TEST_TMP/outer.json" 2>"$TEST_TMP/outer-netdev.log" &
outer=$!
others+=("$outer")
until_true "the other sandbox is reached" reaches a 10.9.0.3
both_listen() { [ "$(nsenter --net="/proc/$child/ns/net" ss -Hltn 'sport = :6001 or sport = :6002' | wc -l)" = 2 ]; }
until_true "iperf3 in the other sandbox" both_listen
iperf_client a -c 10.9.0.3 -p 6001 -t 1
iperf_client a -c 10.9.0.3 -p 6002 -t 1 -R
seen=$(nsenter --net="/proc/$child/ns/net" ip -json address show "$family")
expect_contains "$seen" '"local":"10.9.0.3"'
kill "$outer"
wait "$outer" || true
expect_contains "$(<"$TEST_TMP/outer.json")" '"connections": 1'
! nsenter --net="/proc/$child/ns/net" ip link show "$family" >/dev/null 2>&1 || fail "the interface is still there"
ip link show "$family" >/dev/null 2>&1 && fail "there is an interface outside"
echo "a host module outside of a sandbox: iperf3 both ways"
