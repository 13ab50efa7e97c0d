#!/bin/bash
# bench/network: with what is missing it says so and goes on without; with root and iperf3 it measures, and in every
# case, a signal included, neither namespaces nor folders nor processes are left.
# serial
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

command -v python3 >/dev/null || skip "python3 is not installed"
python=$(python3 -c "import sys; print(sys.executable)")
bench=("$python" "$CAUSEWAY_SOURCE/bench/network/bench_network.py" --bin "$CAUSEWAY_BIN" --output "$TEST_TMP/network.json")
export TMPDIR=$TEST_TMP

# left PID: what a run with this process id has left.
left() {
    ip netns list 2>/dev/null | grep "^cwbench$1-" || true
    find "$TEST_TMP" -maxdepth 1 -name 'cwbench*'
    pgrep -f "cwbench$1-" || true
}

said=$("${bench[@]}" --only nobody 2>&1) && fail "a contestant that is not there is taken"
expect_contains "$said" "take veth"
said=$("${bench[@]}" 0.1 2>&1) && fail "samples of 0.1 s are taken"
expect_contains "$said" "at least 1"

if [ "$(id -u)" -ne 0 ]; then
    said=$("${bench[@]}" 2>&1) && fail "it runs without root"
    expect_contains "$said" "not root"
    skip "network namespaces take root"
fi
for program in ip iperf3 pgrep; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
ip netns add "cwtest$$" 2>/dev/null || skip "no network namespaces here"
usable=yes
ip netns exec "cwtest$$" ip tuntap add t0 mode tap 2>/dev/null || usable=
ip netns delete "cwtest$$"
[ -n "$usable" ] || skip "no TAP interfaces here"

# A PATH with ip and iperf3 and no others; and one contestant that can be set up.
mkdir "$TEST_TMP/path"
for program in ip iperf3; do ln -s "$(command -v "$program")" "$TEST_TMP/path/"; done
PATH="$TEST_TMP/path" "${bench[@]}" 1 1 --only veth,vde,pasta --tests tcp,round_trip_tcp >"$TEST_TMP/out" 2>"$TEST_TMP/err" ||
    fail "it does not go on without the others: $(cat "$TEST_TMP/out" "$TEST_TMP/err")"
expect_contains "$(cat "$TEST_TMP/out")" "left out  vde: vde_switch is not installed"
expect_contains "$(cat "$TEST_TMP/out")" "left out  pasta: pasta is not installed"
expect_contains "$(cat "$TEST_TMP/out")" "left out  round_trip_tcp: sockperf is not installed"

"${bench[@]}" 1 2 --only 'veth,causeway adapter' --tests tcp,tcp_back,udp_1400,udp_big,idle --idle-seconds 1 \
    >"$TEST_TMP/out" 2>"$TEST_TMP/err" || fail "no figures: $(cat "$TEST_TMP/out" "$TEST_TMP/err")"
python3 - "$TEST_TMP/network.json" <<'END' || fail "wrong: $(cat "$TEST_TMP/out" "$TEST_TMP/err")"
import json, sys
run = json.load(open(sys.argv[1]))
assert not run["failed"] and not run["left_out"], (run["failed"], run["left_out"])
for test in ("tcp", "tcp_back", "udp_1400", "udp_big"):
    for name in ("veth", "causeway adapter"):
        cell = run["cells"][test][name]["gbit_per_s"]
        assert cell["runs"] == 2 and 0 < cell["min"] <= cell["median"] <= cell["max"], (test, name, cell)
ratio = run["ratios"]["tcp"]["gbit_per_s"]["causeway adapter / veth"]
each = {}
for s in run["samples"]:
    if s["test"] == "tcp":
        each.setdefault(s["round"], {})[s["contestant"]] = s["gbit_per_s"]
own = sorted(e["causeway adapter"] / e["veth"] for e in each.values())
assert abs(ratio["min"] - own[0]) < 1e-9 and abs(ratio["max"] - own[1]) < 1e-9, (ratio, own)
busy = [s["account"]["workers_s"] for s in run["samples"] if s["contestant"] == "causeway adapter" and s["test"] == "tcp"]
assert all(set(b) == {"causewayd", "unit", "netdev0", "netdev1"} and sum(b.values()) > 0 for b in busy), busy
idle = run["idle"]["causeway adapter"]
assert set(idle["processes"]) == {"causewayd", "unit", "netdev0", "netdev1", "netdev2"}, idle
END

# A signal while it measures.
"${bench[@]}" 30 1 --only 'causeway direct' --tests tcp >"$TEST_TMP/out" 2>"$TEST_TMP/err" &
run=$!
for ((i = 0; i < 600; ++i)); do
    pgrep -f "iperf3 --client.*--time 30" >/dev/null && break
    kill -0 "$run" 2>/dev/null || fail "it has ended: $(cat "$TEST_TMP/out" "$TEST_TMP/err")"
    sleep 0.05
done
[ -n "$(left "$run")" ] || fail "what it leaves would not be found"
kill -TERM "$run"
status=0
wait "$run" || status=$?
[ "$status" -eq 143 ] || fail "it ended with $status: $(cat "$TEST_TMP/out" "$TEST_TMP/err")"
[ -z "$(left "$run")" ] || fail "this is left: $(left "$run")"
[ -z "$(find "$TEST_TMP" -maxdepth 1 -name 'cwbench*')" ] || fail "folders are left"
echo "contestants take turns, what is missing is named, nothing is left"
