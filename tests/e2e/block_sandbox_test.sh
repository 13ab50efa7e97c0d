#!/bin/bash
# A disk that one sandbox serves and another one uses, line by line as README.md has it. Its names stand for what is
# built here, and a line that needs what an earlier one has only begun waits for it.
# timeout: 180
# shellcheck disable=SC2016 # scripts that are written here
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_block.sh"
need nbdcopy qemu-io qemu-img bwrap
bwrap --unshare-all --ro-bind / / true 2>"$TEST_TMP/bwrap" || skip "bubblewrap sandboxes are refused here: $(<"$TEST_TMP/bwrap")"
[ -L /lib ] || skip "/lib is a folder of its own here, the walk-through is for systems where it is in /usr"

awk '/^```bash$/ { on = 1; next } /^```$/ { if (on) exit } on' "$CAUSEWAY_SOURCE/README.md" >"$TEST_TMP/steps"
[ -s "$TEST_TMP/steps" ] || fail "README.md has no walk-through"

# --- what its names stand for
mkdir "$TEST_TMP/inside" "$TEST_TMP/outside" "$TEST_TMP/here"
cp "$CAUSEWAY_BIN/causeway" "$plugin" "$(readlink -f "$CAUSEWAY_LIB/libcauseway.so.1")" "$TEST_TMP/inside"
mv "$TEST_TMP/inside"/libcauseway.so.1.* "$TEST_TMP/inside/libcauseway.so.1"
script() { # FILE LINE...
    printf '%s\n' '#!/bin/bash' "${@:2}" >"$1"
    chmod 755 "$1"
}
script "$TEST_TMP/inside/nbdkit" 'for word; do' '    [ "$word" != causeway ] || word=/inside/nbdkit-causeway-plugin.so' \
    '    words+=("$word")' 'done' 'LD_LIBRARY_PATH=/inside exec /usr/bin/nbdkit "${words[@]}"'
script "$TEST_TMP/outside/causewayd" 'echo $$ >>pids' "exec '$CAUSEWAY_BIN/causewayd' --log-level error \"\$@\""
script "$TEST_TMP/outside/causeway" 'for _ in $(seq 500); do' "    '$causeway' \"\$@\" >bus 2>&1; if grep -q disk0 bus; then break; fi; sleep 0.02" \
    'done' 'cat bus'
script "$TEST_TMP/outside/bwrap" 'for _ in $(seq 500); do if [ -S run/storage/fabric.sock ]; then break; fi; sleep 0.02; done' \
    'echo $$ >>pids' "exec '$(command -v bwrap)' --setenv PATH /inside:/usr/bin:/bin --ro-bind '$TEST_TMP/inside' /inside \"\$@\""
[ -x /usr/bin/nbdkit ] || skip "nbdkit is not in /usr/bin"

# --- and what they do
at_exit() { # instead of the shared one: nothing else was started
    local pid
    while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$TEST_TMP/here/pids"
}
if ! (cd "$TEST_TMP/here" && env -u CAUSEWAY_SOCKET -u LD_LIBRARY_PATH PATH="$TEST_TMP/outside:$PATH" \
    timeout 120 bash -e "$TEST_TMP/steps") >"$TEST_TMP/said" 2>&1; then
    fail "the walk-through of README.md fails: $(<"$TEST_TMP/said")"
fi
said=$(<"$TEST_TMP/said")
expect_contains "$said" "disk storage/disk0 is up: 1073741824 bytes"
expect_contains "$said" "wrote 67108864/67108864 bytes at offset 0"
expect_contains "$said" "virtual size: 1 GiB"
mapfile -t sums < <(grep -oE '^[0-9a-f]{64}' "$TEST_TMP/said")
[[ ${#sums[@]} = 2 && ${sums[0]} = "${sums[1]}" ]] || fail "the disk and the image differ: $said"
grep -qE '^block +storage +disk0 +up' "$TEST_TMP/said" || fail "causeway bus does not list the disk: $said"
echo "one sandbox serves the image, another one has it as a disk, as README.md says"
