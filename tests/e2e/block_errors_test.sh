#!/bin/bash
# What a client is told when the unit's device fails: a full file system, an image that became shorter. Everything else
# goes on.
# timeout: 120
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
if [ "${1:-}" != inside ]; then # a mount namespace of its own, for a small file system
    unshare --mount true 2>/dev/null || { echo "SKIP: no mount namespaces for this user here" && exit 77; }
    exec unshare --mount bash "${BASH_SOURCE[0]}" inside
fi
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_block.sh"
need nbdinfo qemu-io
mkdir "$TEST_TMP/small"
mount -t tmpfs -o size=8m causeway-small "$TEST_TMP/small"
mounted=$TEST_TMP/small
truncate -s 32M "$TEST_TMP/small/full.img" "$TEST_TMP/cut.img" "$TEST_TMP/good.img"

# io URI COMMAND...: qemu-io's words in $said; its status.
io() {
    local uri=$1 command words=()
    shift
    for command; do words+=(-c "$command"); done
    said=$(qemu-io -f raw "${words[@]}" "$uri" 2>&1)
}
for executor in adapter direct; do
    start_adapter
    start_unit --disk full="$TEST_TMP/small/full.img" --disk cut="$TEST_TMP/cut.img" --disk good="$TEST_TMP/good.img"
    for name in full cut good; do
        start_nbdkit "$name" "$name"
        declare "$name=$uri"
    done
    # shellcheck disable=SC2154 # set by name just above
    {
        io "$full" "write -P 3 0 4M" flush || fail "a write that fits: $said"
        if io "$full" "write -P 4 8M 16M"; then fail "more was written than there is room for: $said"; fi
        expect_contains "$said" "No space left on device"
        io "$full" "read -P 3 0 4M" || fail "reading after ENOSPC: $said"
        io "$full" "discard 0 32M" "write -P 5 0 1M" flush "read -P 5 0 1M" || fail "there is room again: $said"

        io "$cut" "write -P 6 0 32M" flush || fail "a write: $said"
        truncate -s 1M "$TEST_TMP/cut.img"
        if io "$cut" "read -P 6 16M 64k"; then fail "what was cut off was read: $said"; fi
        expect_contains "$said" "Input/output error"
        io "$good" "write -P 8 0 4M" flush "read -P 8 0 4M" || fail "another disk of the unit: $said"
    }
    kill -0 "$unit" || fail "the unit has ended"
    for name in full cut good; do stop_nbdkit "$name"; done
    end "$unit" "$adapter"
    unit=
    adapter=
    truncate -s 32M "$TEST_TMP/cut.img"
    echo "$executor: a full file system is ENOSPC, an image cut short EIO, and the others go on"
done
