#!/bin/bash
# `causeway demo`: with sandboxes, without, and when something that it claims is not so; and what is left when it is
# ended in the middle.
# timeout: 300
# serial
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

demo=("$CAUSEWAY_BIN/causeway" demo --megabytes 16)
[ -x "${demo[0]}" ] || fail "there is no ${demo[0]}"
out=$TEST_TMP/out

# run STATUS ARGUMENTS...: the demo, with what it said in $text.
run() {
    local expected=$1 status=0
    shift
    "${demo[@]}" --seconds 0.05 "$@" >"$out" 2>&1 || status=$?
    text=$(<"$out")
    [ "$status" -eq "$expected" ] || fail "exit status $status instead of $expected:"$'\n'"$text"
}
expect_all_claims() {
    local line
    line=$(grep -E '^[0-9]+ of [0-9]+ claims hold' "$out") || fail "no summary in:"$'\n'"$text"
    local words
    read -ra words <<<"$line"
    [ "${words[0]}" = "${words[2]}" ] || fail "$line"
    [ "${words[0]}" -ge "$1" ] || fail "only ${words[0]} claims, at least $1 were expected"
    [[ $text != *"NOT SO"* ]] || fail "a claim is not so:"$'\n'"$text"
}

# A $PATH with what the demo needs, but for what is put there first.
tools=$TEST_TMP/tools
mkdir "$tools"
for tool in tar sha256sum; do ln -s "$(command -v "$tool")" "$tools/$tool"; done

# 1. As it is.
run 0
expect_contains "$text" "sha256 received"
expect_contains "$text" "remote_access"
expect_contains "$text" "UNIX SOCKET"
if bwrap --unshare-user --unshare-pid --unshare-net --ro-bind / / true 2>/dev/null; then
    expect_all_claims 30
    expect_contains "$text" "Three sandboxes"
    [[ $text != *"no sandboxes"* ]] || fail "sandboxes are possible here and were not used:"$'\n'"$text"
    run 0 --sandbox on
else
    echo "sandboxes are refused to this user here; the demo says so:"
    grep -A 4 'no sandboxes' "$out" || fail "it did not say so:"$'\n'"$text"
    run 1 --sandbox on
fi

# 2. Without bubblewrap: plain processes, and what is then not shown.
PATH=$tools run 0
expect_all_claims 20
expect_contains "$text" "bubblewrap is not installed"
expect_contains "$text" "not shown: own user, PID, IPC, UTS, network and mount namespaces"
expect_contains "$text" "to enable it: apt-get install bubblewrap"
PATH=$tools run 1 --sandbox on
expect_contains "$text" "apt-get install bubblewrap"

# 3. With one that is refused.
cat >"$tools/bwrap" <<'SCRIPT'
#!/bin/sh
[ "$1" = --version ] && echo "bubblewrap 0.0" && exit 0
echo "bwrap: No permissions to create new namespace" >&2
exit 1
SCRIPT
chmod +x "$tools/bwrap"
PATH=$tools run 0
expect_all_claims 20
expect_contains "$text" "No permissions to create new namespace"
expect_contains "$text" "to enable it:"
rm "$tools/bwrap"

# 4. A checksum that is never the same twice: the demo must notice, say so and fail.
rm "$tools/sha256sum"
cat >"$tools/sha256sum" <<'SCRIPT'
#!/bin/sh
read -r number </proc/sys/kernel/random/uuid
echo "$number  -"
SCRIPT
chmod +x "$tools/sha256sum"
PATH=$tools run 1
expect_contains "$text" "NOT SO"
rm "$tools/sha256sum"
ln -s "$(command -v sha256sum)" "$tools/sha256sum"

# 5. Ended in the middle, gently or not: within moments nothing of it is left.
for signal in INT TERM KILL; do
    for delay in 0.3 1.0; do
        : >"$out"
        # A shell starts its background jobs with SIGINT ignored.
        env --default-signal=INT "${demo[@]}" --seconds 5 >"$out" 2>&1 &
        pid=$!
        for _ in $(seq 500); do
            directory=$(sed -n 's|^ *\(/[^ ]*\) has an entrance.*|\1|p' "$out")
            [ -n "$directory" ] && break
            sleep 0.02
        done
        [ -n "$directory" ] || fail "it did not start:"$'\n'"$(<"$out")"
        sleep "$delay"
        kill -"$signal" "$pid"
        wait "$pid" 2>/dev/null && fail "it ended well although SIG$signal came"
        for _ in $(seq 1000); do
            left=$(pgrep -f -- "$directory" || true)
            [ -z "$left" ] && [ ! -e "$directory" ] && break
            sleep 0.02
        done
        [ ! -e "$directory" ] || fail "SIG$signal after $delay s left $directory"
        # shellcheck disable=SC2086 # a list of process IDs
        [ -z "$left" ] || fail "SIG$signal after $delay s left processes: $(ps -o pid,args -p ${left//$'\n'/,})"
    done
done
echo "the demo shows what it claims, says what it cannot show, and leaves nothing"
