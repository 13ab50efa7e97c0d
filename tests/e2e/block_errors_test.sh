#!/bin/bash
# What a client is told when the unit's device fails: a full file system, an image that became shorter, a device that
# ends reads, writes or flushes in EIO (nbdkit's eval plugin behind nbdfuse). Everything else goes on.
# timeout: 120
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
if [ "${1:-}" != inside ]; then # a mount namespace of its own, for a small file system
    unshare --mount true 2>/dev/null || { echo "SKIP: no mount namespaces for this user here" && exit 77; }
    exec unshare --mount bash "${BASH_SOURCE[0]}" inside
fi
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_block.sh"
need nbdinfo qemu-io nbdfuse
need_fuse
mkdir "$TEST_TMP/small"
mount -t tmpfs -o size=8m causeway-small "$TEST_TMP/small"
mounts+=("$TEST_TMP/small")
truncate -s 32M "$TEST_TMP/small/full.img" "$TEST_TMP/cut.img" "$TEST_TMP/good.img"

# io URI COMMAND...: qemu-io's words in $said; its status.
io() {
    local uri=$1 command words=()
    shift
    for command; do words+=(-c "$command"); done
    said=$(qemu-io -f raw "${words[@]}" "$uri" 2>&1)
}
# unless_bad WHAT: of a device that fails while there is a file bad-WHAT.
unless_bad() { printf "if [ -e %s ]; then echo EIO it is broken >&2; exit 1; fi;" "$TEST_TMP/bad-$1"; }
for executor in adapter direct; do
    truncate -s 32M "$TEST_TMP/back.img"
    start_nbdfuse device --command nbdkit -s eval get_size='echo 32M' can_flush='exit 0' \
        pread="$(unless_bad pread) dd if=$TEST_TMP/back.img skip=\$4 count=\$3 iflag=skip_bytes,count_bytes status=none" \
        can_write='exit 0' \
        pwrite="$(unless_bad pwrite) dd of=$TEST_TMP/back.img seek=\$4 conv=notrunc oflag=seek_bytes status=none" \
        flush="$(unless_bad flush)"

    start_adapter
    start_unit --disk full="$TEST_TMP/small/full.img" --disk cut="$TEST_TMP/cut.img" --disk good="$TEST_TMP/good.img" \
        --disk bad="$TEST_TMP/device/nbd"
    for name in full cut good bad; do
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

        io "$bad" "write -P 7 0 4M" flush "read -P 7 0 4M" || fail "a device that is well: $said"
        # qemu-io has each write made durable, by FUA, unless it is told to cache.
        for what in "pread:read 16M 64k" "pwrite:write -P 9 8M 64k" "flush:write -P 9 9M 64k"; do
            touch "$TEST_TMP/bad-${what%%:*}"
            if io "$bad" "${what#*:}"; then fail "$what went well where the device fails: $said"; fi
            expect_contains "$said" "Input/output error"
            io "$good" "write -P 3 0 1M" flush "read -P 3 0 1M" || fail "another disk beside a failing one: $said"
            rm "$TEST_TMP/bad-${what%%:*}"
            io "$bad" "write -P 9 8M 64k" flush "read -P 9 8M 64k" "read 16M 64k" || fail "a device that is well again: $said"
        done
    }
    kill -0 "$unit" || fail "the unit has ended"
    for name in full cut good bad; do stop_nbdkit "$name"; done
    end "$unit" "$adapter"
    unit=
    adapter=
    unmount "$TEST_TMP/device"
    end "${others[@]}"
    others=()
    truncate -s 32M "$TEST_TMP/cut.img"
    echo "$executor: a full file system is ENOSPC, an image cut short EIO, a device's EIO comes through, and the others go on"
done
