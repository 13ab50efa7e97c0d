#!/bin/bash
# Partitions in bubblewrap sandboxes without capabilities, without /proc and /dev/shm of the host, each with nothing
# but its entrance: pipe, perf and ss work, and nothing is left behind. And who is refused at the open entrance.
# timeout: 180
# serial
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

bwrap --unshare-user --unshare-pid --unshare-net --ro-bind / / true 2>/dev/null ||
    skip "bubblewrap sandboxes are refused to this user here"

run=$TEST_TMP/run
daemon=
at_exit() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    # shellcheck disable=SC2046 # a list of process IDs
    kill $(jobs -p) 2>/dev/null || true
}

# start_daemon COMMAND...: waits until it serves in $run.
start_daemon() {
    "$@" --runtime-dir "$run" --entrance a --entrance b --log-level error &
    daemon=$!
    for _ in $(seq 1000); do
        [ -S "$run/fabric.sock" ] && return
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.02
    done
    fail "causewayd did not start"
}

# inside DIRECTORY ARGUMENTS...: `causeway ARGUMENTS...` in a sandbox with DIRECTORY as /fabric. There is no /proc, no
# /dev, no /tmp, and nothing can be written.
libraries=()
while read -r library; do libraries+=(--ro-bind "$library" "$library"); done < <(
    ldd "$CAUSEWAY_BIN/causeway" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p')
inside() {
    local directory=$1
    shift
    bwrap --unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-net --uid 1000 --gid 1000 \
        --cap-drop ALL --die-with-parent --new-session --clearenv "${libraries[@]}" \
        --ro-bind "$CAUSEWAY_BIN/causeway" /causeway --ro-bind "$directory" /fabric \
        --setenv CAUSEWAY_SOCKET /fabric/fabric.sock --remount-ro / /causeway "$@"
}

descriptors() { find "/proc/$daemon/fd" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
mappings() { grep -c '/memfd:' "/proc/$daemon/maps" || true; }
wait_for_state() {
    for _ in $(seq 1000); do
        [ "$(descriptors) $(mappings)" = "$before" ] && return
        sleep 0.01
    done
    fail "the adapter holds $(descriptors) descriptors and $(mappings) mappings of memory files, before: $before"
}
leftovers() {
    find /dev/shm /tmp -mindepth 1 -maxdepth 1 -newer "$TEST_TMP/begin" -name '*causeway*' \
        ! -name 'causeway-*' 2>/dev/null | grep -vF "$TEST_TMP" || true
}
listener_there() {
    for _ in $(seq 1000); do
        "$CAUSEWAY_BIN/causeway" info --socket "$run/fabric.sock" --json |
            tr -d ' \n' | grep -qE "\"listeners\":[1-9]" && return
        sleep 0.01
    done
    fail "nobody listens"
}

touch "$TEST_TMP/begin"
start_daemon "$CAUSEWAY_BIN/causewayd"
sleep 0.2
before="$(descriptors) $(mappings)"

# A pipe, the data going from connector to listener, then from listener to connector.
head -c 33554439 /dev/urandom >"$TEST_TMP/data"
inside "$run/b" pipe --listen files </dev/null >"$TEST_TMP/copy" &
listening=$!
listener_there
inside "$run/a" pipe --connect b/files <"$TEST_TMP/data" >/dev/null
wait "$listening"
cmp "$TEST_TMP/data" "$TEST_TMP/copy" || fail "the copy differs"
inside "$run/b" pipe --listen files <"$TEST_TMP/data" >/dev/null &
listening=$!
listener_there
inside "$run/a" pipe --connect b/files </dev/null >"$TEST_TMP/back"
wait "$listening"
cmp "$TEST_TMP/data" "$TEST_TMP/back" || fail "the copy that came back differs"
wait_for_state

# ss, while a pipe stands: a partition sees its own queue pairs, by name and executor.
mkfifo "$TEST_TMP/held"
inside "$run/b" pipe --listen files </dev/null >"$TEST_TMP/copy" &
listening=$!
listener_there
inside "$run/a" pipe --connect b/files <"$TEST_TMP/held" >/dev/null &
connecting=$!
exec 9>"$TEST_TMP/held"
for _ in $(seq 500); do
    seen=$("$CAUSEWAY_BIN/causeway" ss --socket "$run/fabric.sock" --json)
    [[ $seen == *'"connected"'* ]] && break
    sleep 0.02
done
expect_contains "$seen" '"executor": "adapter"'
# The entrance is taken; looking is not joining. Only its own end is shown, and the peer by name.
own=$(inside "$run/a" ss --json) || fail "ss at the entrance of a partition that lives: status $?"
[ "$(grep -c '"partition"' <<<"$own")" = 1 ] || fail "ss inside shows more than the partition's own: $own"
expect_contains "$own" '"partition": "a"'
expect_contains "$own" '"peer": "b"'
expect_contains "$(inside "$run/a" info --json)" '"name": "a"'
[ -z "$(leftovers)" ] || fail "while it runs there is: $(leftovers)"
echo "line" >&9
exec 9>&-
wait "$connecting" "$listening"
[ "$(<"$TEST_TMP/copy")" = line ] || fail "the line did not arrive"
wait_for_state

# perf: both partitions in one sandbox, at the open entrance.
figures=$(inside "$run" perf --socket /fabric/fabric.sock --test bandwidth --size 1M --seconds 0.05 --repeat 2 --json)
expect_contains "$figures" '"verified": true'
wait_for_state
# A named entrance is for one partition, and perf needs two: it says so, and what to do.
if said=$(inside "$run/a" perf --socket /fabric/fabric.sock --seconds 0.05 2>&1); then
    fail "perf measured between two partitions at an entrance for one"
fi
expect_contains "$said" "joins as two partitions"
expect_contains "$said" "give --socket DIR/fabric.sock"
# Nor can it start an adapter where nothing can be written.
if said=$(inside "$run/a" perf --seconds 0.05 2>&1); then
    fail "perf started an adapter in a sandbox without a place for it"
fi
expect_contains "$said" "no directory for a private adapter"
expect_contains "$said" "or measure at a running adapter"
wait_for_state
[ -z "$(leftovers)" ] || fail "there is left: $(leftovers)"

# Another name than the entrance's is refused.
if said=$(inside "$run/a" pipe --attach b --listen files </dev/null 2>&1); then
    fail "the entrance of a let somebody in as b"
fi
echo "as b through a: $said"

# Who is refused at the open entrance. Its directory is closed to others; opened here, so that the adapter decides.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    as() { setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }
    [ "$(stat -c %a "$run")" = 700 ] || fail "$run has mode $(stat -c %a "$run") instead of 700"
    cp "$CAUSEWAY_BIN/causeway" "$CAUSEWAY_BIN/causewayd" "$TEST_TMP/"
    chmod 755 "$TEST_TMP" "$run"
    for uid in 12345 65534; do
        if said=$(as "$uid" "$TEST_TMP/causeway" info --socket "$run/fabric.sock" 2>&1); then
            fail "the adapter of user 0 answered user $uid: $said"
        fi
        [[ $said != *"ermission denied"* ]] || fail "user $uid did not even reach the socket: $said"
        if said=$(as "$uid" "$TEST_TMP/causeway" pipe --socket "$run/fabric.sock" --attach x --listen y \
            </dev/null 2>&1); then
            fail "the adapter of user 0 let user $uid in"
        fi
        echo "user $uid: $said"
    done
    wait_for_state
    kill "$daemon"
    wait "$daemon" || fail "causewayd ended with status $?"
    daemon=

    # The overflow uid matches nobody, not even itself: it stands for everybody who is not mapped.
    run=$TEST_TMP/overflow/run
    mkdir "$TEST_TMP/overflow"
    chown 65534:65534 "$TEST_TMP/overflow"
    start_daemon setpriv --reuid 65534 --regid 65534 --clear-groups "$TEST_TMP/causewayd"
    if said=$(as 65534 "$TEST_TMP/causeway" pipe --socket "$run/fabric.sock" --attach x --listen y \
        </dev/null 2>&1); then
        fail "the overflow user let itself in"
    fi
    echo "user 65534 at its own adapter: $said"
    kill "$daemon"
    wait "$daemon" || fail "causewayd ended with status $?"
    daemon=
else
    echo "not root: other users were not tried"
fi
echo "sandboxed partitions work, and nothing is left of them"
