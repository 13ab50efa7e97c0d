#!/bin/bash
# examples/containers/: the first example runs, with podman where this machine allows it, else with bubblewrap and the same
# mounts. The compose file and the pod are valid, what they mount are the entrances of their adapter, and their commands,
# run in sandboxes with just these mounts, exchange what they are to exchange.
# timeout: 300
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

examples=$CAUSEWAY_SOURCE/examples/containers
reader=$CAUSEWAY_SOURCE/tests/support/container_files.py

at_exit() {
    # shellcheck disable=SC2046 # a list of process IDs
    kill $(jobs -p) 2>/dev/null || true
    wait 2>/dev/null || true
}

# --- the first example
# The example may have been impossible here while the rest was tried.
finish_here() {
    [ "$status" = 0 ] || skip "neither podman nor bubblewrap makes containers here"
    exit 0
}
mkdir "$TEST_TMP/example"
said=$(TMPDIR=$TEST_TMP/example "$examples/podman/exchange.sh" 2>&1) && status=0 || status=$?
echo "$said"
case $status in
    0)
        expect_contains "$said" "containers by: "
        expect_contains "$said" "orders sent 16777259 bytes to billing"
        expect_contains "$said" "a stranger without an entrance: causeway: no adapter found"
        expect_contains "$said" "orders as billing: causeway: rule 'named entrance'"
        [[ $said != *"by: podman"* ]] || expect_contains "$said" "a stranger at the open entrance: causeway: rule"
        ;;
    77) echo "not run here: the example with containers" ;;
    *) fail "the example ended with status $status" ;;
esac
[ -z "$(ls -A "$TEST_TMP/example")" ] || fail "the example left $(ls -A "$TEST_TMP/example")"

# --- the files for compose and Kubernetes
files=("$examples/compose/compose.yaml" "$examples/kubernetes/pod.yaml")
if ! python3 -c 'import yaml' 2>/dev/null; then
    for file in "${files[@]}"; do
        grep -qE "(subpath|subPath): run/orders" "$file" || fail "$file mounts no entrance of orders"
        grep -qE "(subpath|subPath): run/billing" "$file" || fail "$file mounts no entrance of billing"
        grep -q -- "--entrance, orders, --entrance, billing" "$file" || fail "$file has other entrances than it mounts"
        ! grep -P "\t" "$file" || fail "$file is indented by tabs"
    done
    echo "SKIP: python3-yaml is not there: the files were only searched, not parsed"
    finish_here
fi
for file in "${files[@]}"; do
    python3 "$reader" "$file" >"$TEST_TMP/containers" || fail "$file is not as it should be"
    [ "$(wc -l <"$TEST_TMP/containers")" = 3 ] || fail "$file has other containers than three"
    # The check can fail: entrances that are swapped for others, writable, or the whole volume.
    for mistake in 's/subpath: run\/orders/subpath: run\/other/I' 's/read_\?only: true/readOnly: false/I' \
        's/entrance, orders/entrance, sales/' 's/drop.*ALL\]/drop: []/' 's/, *subPath: run\/billing//; /subPath: run.billing/d'; do
        sed "$mistake" "$file" >"$TEST_TMP/mistaken.yaml"
        cmp -s "$file" "$TEST_TMP/mistaken.yaml" && continue  # does not apply to this file
        if python3 "$reader" "$TEST_TMP/mistaken.yaml" >/dev/null 2>&1; then
            fail "$file with $mistake was taken for good"
        fi
    done
done

bwrap --unshare-user --unshare-pid --ro-bind / / true 2>/dev/null || {
    echo "SKIP: bubblewrap is refused here: the commands of the compose file and of the pod were not run"
    finish_here
}
# in_container VOLUME MOUNT SUBPATH MODE COMMAND...: a root tree of the host's /usr, the programs in the path, one mount.
in_container() {
    local source=$1 mount=$2 mode=$4
    [ "$3" = - ] || source=$source/$3
    shift 4
    local bind=--ro-bind
    [ "$mode" = ro ] || bind=--bind
    bwrap --unshare-all --cap-drop ALL --die-with-parent --clearenv --setenv PATH /opt/causeway:/usr/bin \
        --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
        --proc /proc --dev /dev --ro-bind "$CAUSEWAY_BIN/causeway" /opt/causeway/causeway \
        --ro-bind "$CAUSEWAY_BIN/causewayd" /opt/causeway/causewayd "$bind" "$source" "$mount" --remount-ro / "$@"
}
for file in "${files[@]}"; do
    volume=$TEST_TMP/volume-$(basename "$file")
    mkdir -m 700 "$volume"
    python3 "$reader" "$file" >"$TEST_TMP/containers"
    waited_for=()
    while IFS=$'\t' read -r name mount subpath mode json; do
        mapfile -d '' -t command < <(python3 -c \
            'import json, sys; sys.stdout.write("".join(word + "\0" for word in json.loads(sys.argv[1])))' "$json")
        in_container "$volume" "$mount" "$subpath" "$mode" "${command[@]}" </dev/null \
            >"$TEST_TMP/$name.out" 2>"$TEST_TMP/$name.err" &
        if [ "$name" = adapter ]; then
            adapter=$!
            for _ in $(seq 1000); do
                [ ! -S "$volume/run/orders/fabric.sock" ] || [ ! -S "$volume/run/billing/fabric.sock" ] || break
                kill -0 "$adapter" || fail "the adapter of $file ended: $(<"$TEST_TMP/adapter.err")"
                sleep 0.02
            done
        else
            waited_for+=("$!")
        fi
    done <"$TEST_TMP/containers"
    for each in "${waited_for[@]}"; do
        wait "$each" || fail "a container of $file failed: $(cat "$TEST_TMP"/*.err)"
    done
    received=$(<"$TEST_TMP/billing.out")
    [ "$received" = "three apples" ] || fail "billing of $file received '$received'"
    kill "$adapter"
    wait "$adapter" || true
    echo "$file: valid; its commands, in bubblewrap with its mounts, passed on '$received'"
done
[ "$status" = 0 ] || skip "neither podman nor bubblewrap makes containers here"
