#!/bin/bash
# The program in README.md: compiles as it stands there, and does what it says.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

[ -e "$CAUSEWAY_LIB/libcauseway.so.1" ] || skip "there is no libcauseway.so.1 in this build"
run=$TEST_TMP/run
daemon=
at_exit() { [ -z "$daemon" ] || kill "$daemon" 2>/dev/null; }

awk '/^```cpp$/ { on = 1; next } /^```$/ { if (on) exit } on' "$CAUSEWAY_SOURCE/README.md" >"$TEST_TMP/readme.cpp"
[ -s "$TEST_TMP/readme.cpp" ] || fail "README.md has no program"
lines=$(sed -n '/^int main/,/^}/p' "$TEST_TMP/readme.cpp" | grep -c '[^[:space:]{}]')
[ "$lines" -le 12 ] || fail "the ten lines have become $lines"

# The other side of it.
cat >"$TEST_TMP/billing.cpp" <<'SOURCE'
#include <causeway/causeway.hpp>
#include <cstdio>
int main() {
    using namespace std::chrono_literals;
    auto partition = causeway::Partition::attach("billing").value();
    auto memory = partition.allocate(4096).value();
    auto queue = partition.create_completion_queue(64).value();
    auto pair = partition.create_queue_pair({.completions = queue}).value();
    pair.post_receive(memory.slice(0, 4096), 1).value();
    auto service = partition.listen("invoices").value();
    std::puts("listening");
    std::fflush(stdout);
    service.accept(pair, 60s).value();
    for (const auto& done : queue.wait(60s))
        std::printf("%u bytes: %s\n", done.length(), reinterpret_cast<const char*>(memory.data()));
}
SOURCE
for program in readme billing; do
    "${CAUSEWAY_CXX:-c++}" -std=c++20 -Wall -Wextra "$TEST_TMP/$program.cpp" -I "$CAUSEWAY_SOURCE/include" \
        -o "$TEST_TMP/$program" "$CAUSEWAY_LIB/libcauseway.so.1" -pthread ||
        fail "$program.cpp does not compile"
done

"$CAUSEWAY_BIN/causewayd" --runtime-dir "$run" --log-level error &
daemon=$!
export LD_LIBRARY_PATH=$CAUSEWAY_LIB CAUSEWAY_SOCKET=$run/fabric.sock
for _ in $(seq 1000); do
    [ -S "$CAUSEWAY_SOCKET" ] && break
    sleep 0.02
done
"$TEST_TMP/billing" >"$TEST_TMP/billing.out" &
billing=$!
for _ in $(seq 1000); do
    grep -q listening "$TEST_TMP/billing.out" && break
    sleep 0.02
done
said=$("$TEST_TMP/readme") || fail "the program of README.md failed: $said"
wait "$billing"
[ "$said" = success ] || fail "it said '$said' instead of 'success'"
expect_contains "$(<"$TEST_TMP/billing.out")" "13 bytes: three apples"
echo "the program of README.md compiles and sends its apples"
