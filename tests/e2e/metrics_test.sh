#!/bin/bash
# causewayd --metrics as its user sees it: promtool takes the metrics, bad addresses are refused with a word of advice,
# and asking wakes nobody who sleeps.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

daemon=
at_exit() { [ -z "$daemon" ] || kill "$daemon"; }

for bad in :9464 9464 '*:9464' example.org:9464 127.0.0.1:99999; do
    said=$("$CAUSEWAY_BIN/causewayd" --runtime-dir "$TEST_TMP/none" --metrics "$bad" 2>&1) && fail "--metrics $bad is taken"
    expect_contains "$said" "127.0.0.1:9464"
    [ ! -e "$TEST_TMP/none" ] || fail "it began in spite of --metrics $bad"
done

mkfifo "$TEST_TMP/ready"
exec 3<>"$TEST_TMP/ready"
"$CAUSEWAY_BIN/causewayd" --runtime-dir "$TEST_TMP/run" --metrics 127.0.0.1:0 --ready-fd 3 2>"$TEST_TMP/log" &
daemon=$!
read -r -t 30 -u 3 || fail "it does not start: $(cat "$TEST_TMP/log")"
port=$(sed -n 's|.*metrics: http://127.0.0.1:\([0-9]*\)/metrics.*|\1|p' "$TEST_TMP/log")
[ -n "$port" ] || fail "the log does not say where: $(cat "$TEST_TMP/log")"

# scrape FILE [PATH]
scrape() {
    exec 4<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET %s HTTP/1.1\r\nHost: test\r\n\r\n' "${2:-/metrics}" >&4
    cat <&4 | tr -d '\r' >"$1.all"
    exec 4>&-
    sed '1,/^$/d' "$1.all" >"$1"
}

"$CAUSEWAY_BIN/causeway" perf --socket "$TEST_TMP/run/fabric.sock" --test latency --executor adapter --size 64 \
    --seconds 0.05 --repeat 1 >"$TEST_TMP/perf" 2>&1 || fail "nothing can be sent: $(cat "$TEST_TMP/perf")"
scrape "$TEST_TMP/metrics"
expect_contains "$(head -1 "$TEST_TMP/metrics.all")" "200 OK"
for family in causeway_build_info causeway_uptime_seconds causeway_operations_total causeway_denials_total \
    causeway_mover_wakeups_total causeway_operation_latency_seconds_bucket causeway_operation_size_bytes_bucket \
    causeway_memory_bytes causeway_open_descriptors; do
    grep -q "^\(# TYPE \)\?$family" "$TEST_TMP/metrics" || fail "$family is missing"
done
while read -r name; do
    grep -q "\`$name\`" "$CAUSEWAY_SOURCE/docs/observability.md" || fail "docs/observability.md does not explain $name"
done < <(sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$TEST_TMP/metrics")

# Between two looks neither the control thread nor the one of the metrics wakes up.
wakeups() { awk '/^voluntary_ctxt_switches/ {print $2}' "/proc/$daemon/task/$1/status"; }
metrics_thread=$(grep -lx cw-metrics /proc/"$daemon"/task/*/comm | cut -d/ -f5)
[ -n "$metrics_thread" ] || fail "there is no thread cw-metrics"
sleep 6 # the scrape's connection is over by then, whatever its client did
before="$(wakeups "$metrics_thread") $(wakeups "$daemon")"
sleep 3
after="$(wakeups "$metrics_thread") $(wakeups "$daemon")"
[ "$before" = "$after" ] || fail "threads wake up for nothing: $before times, then $after"

if ! command -v promtool >/dev/null; then skip "promtool is not installed (package prometheus)"; fi
promtool check metrics <"$TEST_TMP/metrics" || fail "promtool does not like the metrics"
echo "promtool takes $(grep -c '^# TYPE' "$TEST_TMP/metrics") families; nobody wakes up for nothing"
