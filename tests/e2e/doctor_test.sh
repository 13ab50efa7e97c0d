#!/bin/bash
# causeway doctor: with and without an adapter, at open and named entrances, as another user, with few descriptors, in
# sandboxes with things taken away, and with an adapter that hangs. What it says mends what it found.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

causeway=$CAUSEWAY_BIN/causeway
run=$TEST_TMP/run
daemon=
at_exit() {
    if [ -n "$daemon" ]; then
        kill -CONT "$daemon" 2>/dev/null || true
        kill "$daemon" 2>/dev/null || true
    fi
    # shellcheck disable=SC2046 # a list of process IDs
    kill $(jobs -p) 2>/dev/null || true
    wait 2>/dev/null || true
}

# status_of ID JSON, and what it found and mends: what `--json` says about one check; empty where it is not there.
field_of() {
    tr -d '\n' <<<"$3" | grep -oE "\{[^{}]*\"id\": \"$2\"[^{}]*\}" | grep -oE "\"$1\": (\"([^\"\\]|\\\\.)*\"|null)" |
        sed 's/^[^:]*: //; s/^"//; s/"$//' || true
}
expect_status() {
    local got
    got=$(field_of status "$1" "$3")
    [[ " $2 " == *" $got "* ]] || fail "$1 is '$got' instead of one of: $2; all of it: $3"
}
expect_exit() {
    [ "$1" = "$2" ] || fail "exit status $2 instead of $1: $3"
}
# Every number that JSON has of failures agrees with the exit status; and it is JSON, as far as Python is there to tell.
checked_json() {
    if command -v python3 >/dev/null; then
        python3 -c 'import json, sys
report = json.load(sys.stdin)
assert report["failures"] == sum(check["status"] == "fail" for check in report["checks"])
for check in report["checks"]:
    assert set(check) == {"id", "status", "found", "costs", "mend"}, check
    assert check["status"] in ("ok", "note", "warning", "fail"), check
    if check["status"] in ("warning", "fail"):
        assert check["costs"] and check["mend"], check
    assert not check["mend"] or "\n" not in check["mend"], check' <<<"$1" || fail "not as it should be: $1"
    fi
}
# doctor ARGUMENTS...: sets $said and $status.
doctor() {
    said=$("$causeway" doctor "$@" --json 2>"$TEST_TMP/err") && status=0 || status=$?
    checked_json "$said"
}

# --- without an adapter
CAUSEWAY_SOCKET="" XDG_RUNTIME_DIR=$TEST_TMP/none doctor
if [ ! -e /run/causeway/fabric.sock ]; then
    expect_status daemon warning "$said"
    expect_contains "$(field_of mend daemon "$said")" "causewayd --runtime-dir "
fi
expect_status memory_files ok "$said"
doctor --socket "$TEST_TMP/nothing/fabric.sock"
expect_status daemon fail "$said"
expect_exit 1 "$status" "$said"
[ -z "$(field_of status attach "$said")" ] || fail "attaching was tried without an adapter: $said"
# What it says is what is to be done.
doctor --runtime-dir "$run"
mend=$(field_of mend daemon "$said")
[ "$mend" = "causewayd --runtime-dir $run" ] || fail "unexpected: $mend"
expect_status runtime_directory note "$said"

# --- with one
PATH=$CAUSEWAY_BIN:$PATH sh -c "exec $mend --entrance orders --log-level error" &
daemon=$!
for _ in $(seq 1000); do
    [ ! -S "$run/fabric.sock" ] || break
    kill -0 "$daemon" || fail "what the doctor named did not start"
    sleep 0.02
done
doctor --runtime-dir "$run"
for check in daemon versions attach direct; do expect_status $check ok "$said"; done
expect_status runtime_directory "ok note" "$said"
expect_exit "$(grep -c '"status": "fail"' <<<"$said" || true)" "$status" "$said"
expect_contains "$("$causeway" info --socket "$run/fabric.sock")" "connections  0 partitions"
doctor --socket "$run/orders/fabric.sock"
expect_status attach ok "$said"
expect_contains "$(field_of found attach "$said")" "as 'orders'"
expect_status direct note "$said"
expect_exit 0 "$status" "$said"
# The table says the same, in words, without colours and escapes.
table=$("$causeway" doctor --socket "$run/orders/fabric.sock") || fail "the table ends with status $?"
expect_contains "$table" "ok      attach"
expect_contains "$table" "0 failures, "
[[ $table != *$'\x1b'* ]] || fail "escapes in what is no terminal: $table"

# Whose place is taken is not pushed away.
"$causeway" pipe --socket "$run/orders/fabric.sock" --listen files --receive-only </dev/null >"$TEST_TMP/copy" &
pipe=$!
for _ in $(seq 1000); do
    [[ $("$causeway" info --socket "$run/fabric.sock" --json | tr -d ' \n') != *'"listeners":1'* ]] || break
    sleep 0.02
done
doctor --socket "$run/orders/fabric.sock"
expect_status attach note "$said"
expect_contains "$(field_of found attach "$said")" "partition 'orders' is here already (process $pipe)"
echo "still there" | "$causeway" pipe --socket "$run/fabric.sock" --attach other --connect orders/files
wait "$pipe"
[ "$(<"$TEST_TMP/copy")" = "still there" ] || fail "the partition was disturbed"

# --- few descriptors; and what is named mends it, in the shell that it names
mended=$(prlimit --nofile=16:4096 bash -c '
    "$1" doctor --runtime-dir "$2" --json >"$3/before" && exit 1
    mend=$(tr -d "\n" <"$3/before" | grep -oE "\{[^{}]*\"id\": \"open_files\"[^{}]*\}" |
        sed "s/.*\"mend\": \"//; s/\".*//")
    echo "$mend"
    [ "$(echo "$mend" | cut -d " " -f 1-3)" = "prlimit --pid $$" ] || exit 2
    $mend || exit 3
    "$1" doctor --runtime-dir "$2" --json >"$3/after"' sh "$causeway" "$run" "$TEST_TMP") ||
    fail "with 16 descriptors: status $?, $mended; $(cat "$TEST_TMP/before")"
expect_status open_files fail "$(<"$TEST_TMP/before")"
expect_status open_files ok "$(<"$TEST_TMP/after")"
checked_json "$(<"$TEST_TMP/before")"
echo "with 16 descriptors, mended by: $mended"

# --- another user
if [ "$(id -u)" -eq 0 ]; then
    cp "$causeway" "$TEST_TMP/causeway"
    chmod 755 "$TEST_TMP" "$run"
    said=$(setpriv --reuid 12345 --regid 12345 --clear-groups "$TEST_TMP/causeway" doctor --json \
        --socket "$run/fabric.sock") && fail "user 12345 is said to be well at the open entrance of root"
    chmod 700 "$run"
    closed=$(setpriv --reuid 12345 --regid 12345 --clear-groups "$TEST_TMP/causeway" doctor --json \
        --socket "$run/fabric.sock" || true)
    chmod 755 "$run"
    expect_contains "$(field_of found daemon "$closed")" "others come in by an entrance of their own"
    expect_status daemon fail "$said"
    expect_contains "$(field_of found daemon "$said")" "rule 'open entrance'"
    expect_contains "$(field_of mend daemon "$said")" "--entrance NAME"
    said=$(setpriv --reuid 12345 --regid 12345 --clear-groups "$TEST_TMP/causeway" doctor --json \
        --socket "$run/orders/fabric.sock" || true)
    expect_status attach ok "$said"
    chmod 700 "$run"
else
    echo "not root: another user was not tried"
fi

# --- sandboxes with things taken away
if bwrap --unshare-user --unshare-pid --ro-bind / / true 2>/dev/null; then
    libraries=()
    while read -r library; do libraries+=(--ro-bind "$library" "$library"); done < <(
        ldd "$causeway" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p')
    inside() {
        bwrap --unshare-user --unshare-pid --unshare-net --cap-drop ALL --die-with-parent --clearenv "${libraries[@]}" \
            --ro-bind "$causeway" /causeway --ro-bind "$run/orders" /run/causeway "$@"
    }
    # Nothing but the program: no /proc, /sys, /dev. What is not to be seen is said to be so, and is no failure.
    said=$(inside --remount-ro / /causeway doctor --json) || fail "in an empty sandbox: status $?, $said"
    checked_json "$said"
    expect_status memory_cgroup note "$said"
    expect_status clock note "$said"
    expect_status runtime_directory ok "$said"
    expect_status attach ok "$said"
    expect_contains "$(field_of found daemon "$said")" "/run/causeway/fabric.sock"
    # A /proc without sysctls.
    said=$(inside --proc /proc --tmpfs /proc/sys --remount-ro / /causeway doctor --json) ||
        fail "without /proc/sys: status $?, $said"
    checked_json "$said"
    expect_status mappings ok "$said"
    # A user namespace in which no other may be made.
    if said=$(bwrap --unshare-user --disable-userns --ro-bind / / --proc /proc "$causeway" doctor --json \
        --socket "$run/orders/fabric.sock" 2>&1); then
        expect_status user_namespaces warning "$said"
        expect_contains "$(field_of mend user_namespaces "$said")" "max_user_namespaces"
    else
        echo "bubblewrap does not disable user namespaces here: $said"
    fi
else
    echo "bubblewrap sandboxes are refused to this user here: none was tried"
fi

# --- an adapter that hangs: it is said what is waited for
kill -STOP "$daemon"
"$causeway" doctor --socket "$run/fabric.sock" >"$TEST_TMP/late" 2>"$TEST_TMP/waiting" &
waiting=$!
for _ in $(seq 1500); do
    [ ! -s "$TEST_TMP/waiting" ] || break
    sleep 0.02
done
kill -CONT "$daemon"
wait "$waiting" || true
expect_contains "$(<"$TEST_TMP/waiting")" "asking the adapter at $run/fabric.sock takes 2 s so far"
expect_contains "$(<"$TEST_TMP/late")" "ok      attach"

# --- the socket mounted as a file: when its adapter has died, nobody answers there any more
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null || true
daemon=
doctor --socket "$run/orders/fabric.sock"
[ "$(field_of mend daemon "$said")" = "causewayd --runtime-dir $run --entrance orders" ] ||
    fail "another adapter than the one that died is to be started: $said"
if bwrap --unshare-user --unshare-pid --ro-bind / / true 2>/dev/null; then
    said=$(bwrap --unshare-user --unshare-pid --die-with-parent --ro-bind / / --tmpfs /run \
        --ro-bind "$run/orders/fabric.sock" /run/causeway/fabric.sock "$causeway" doctor --json \
        --socket /run/causeway/fabric.sock) && fail "a dead socket is said to be well: $said"
    expect_contains "$(field_of found daemon "$said")" "mount its directory instead"
fi
echo "the doctor says what is wrong, and what mends it"
