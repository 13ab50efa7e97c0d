#!/bin/bash
# Which room includes which. A room uses the rooms above it, never one below; client and adapter do not know each other;
# include/causeway/abi knows nothing but fixed-width integers and atomics; the public headers know nothing of src/. Of the
# public headers the rooms below the client use result.hpp alone, which itself stands on the ABI's error codes only.
# Then the check itself is checked, on small trees that each break one rule.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
cd "$CAUSEWAY_SOURCE"

# check_tree ROOT: one line per forbidden #include on standard output; fails if there is one.
check_tree() {
    (
        cd "$1"
        local folders=() folder
        for folder in include src apps examples; do
            if [ -d "$folder" ]; then folders+=("$folder"); fi
        done
        find "${folders[@]}" -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print0 |
            LC_ALL=C sort -z |
            xargs -0 -r awk '
                BEGIN {
                    count = split("base platform shm engine control config client ipc io adapter", order, " ")
                    for (i = 1; i <= count; ++i) level[order[i]] = i
                    n = split("cstdint cstddef stdint.h stddef.h atomic bit type_traits", names, " ")
                    for (i = 1; i <= n; ++i) plain[names[i]] = 1
                }
                function forbid(why) {
                    printf "%s:%d: includes %s: %s\n", FILENAME, FNR, target, why
                    bad = 1
                }
                FNR == 1 {
                    split(FILENAME, part, "/")
                    place = part[1]
                    room = place == "src" ? part[2] : ""
                    program = place == "apps" ? part[2] : ""
                    abi = FILENAME ~ /^include\/causeway\/abi\//
                    if (place == "src" && !(room in level)) {
                        printf "%s: src/%s is not in the list of rooms of this check\n", FILENAME, room
                        bad = 1
                        nextfile
                    }
                }
                /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
                    target = $0
                    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
                    quoted = target ~ /^"/
                    sub(/^[<"]/, "", target)
                    sub(/[>"].*$/, "", target)
                    split(target, step, "/")
                    to_room = (quoted && step[1] in level && target ~ /\//) ? step[1] : ""
                    to_abi = target ~ /^causeway\/abi\//
                    to_public = !to_abi && target ~ /^causeway\/[^\/]*\.hp*$/ && target != "causeway/result.hpp"

                    if (target ~ /(^|\/)\.\.(\/|$)/) {
                        forbid("name it from the root of src/ or include/, not with ..")
                    } else if (abi) {
                        if (!to_abi && !(target in plain))
                            forbid("the ABI depends on fixed-width integers and atomics only")
                    } else if (place == "include") {
                        if (to_room != "") forbid("a public header does not know src/")
                        if (to_public && FILENAME ~ /\/result\.hpp$/) forbid("result.hpp depends on the ABI only")
                    } else if (place == "examples") {
                        if (to_room != "" || target ~ /^src\//) forbid("an example sees the public headers only")
                    } else if (place == "apps") {
                        if (program == "causewayd" && (to_room == "client" || to_room == "io")) forbid("the daemon does not know the client")
                        if (program == "causeway" && to_room == "adapter") forbid("the tool does not know the adapter")
                    } else if (to_room != "") {
                        if (level[to_room] > level[room]) forbid(room " stands above " to_room)
                        else if (room == "adapter" && (to_room == "client" || to_room == "ipc" || to_room == "io")) forbid("client and adapter do not know each other")
                    } else if (to_public && level[room] < level["client"]) {
                        forbid("the public API is the client room'"'"'s business")
                    } else if (to_public && room == "adapter") {
                        forbid("the daemon does not know the client API")
                    }
                }
                END { exit bad }'
    )
}

# expect_bad PATH INCLUDE: a tree with this one line in this one file must be refused, and the file named.
expect_bad() {
    local tree=$TEST_TMP/tree output
    rm -rf "$tree"
    mkdir -p "$tree/src" "$tree/include" "$tree/$(dirname "$1")"
    printf '// A file.\n%s\n' "$2" >"$tree/$1"
    if output=$(check_tree "$tree"); then
        fail "the check accepts '$2' in $1"
    fi
    [[ $output == "$1"* ]] || fail "the check does not name $1 but says: $output"
}

expect_good() {
    local tree=$TEST_TMP/tree
    rm -rf "$tree"
    mkdir -p "$tree/src" "$tree/include" "$tree/$(dirname "$1")"
    printf '// A file.\n%s\n' "$2" >"$tree/$1"
    check_tree "$tree" || fail "the check refuses '$2' in $1"
}

expect_bad src/base/a.hpp '#include "platform/memfd.hpp"'
expect_bad src/engine/a.cpp '#include "control/server.hpp"'
expect_bad src/engine/deep/a.cpp '#  include "adapter/table.hpp"'
expect_bad src/shm/a.cpp '#include <causeway/causeway.h>'
expect_bad src/client/a.cpp '#include "adapter/table.hpp"'
expect_bad src/adapter/a.cpp '#include "client/partition.hpp"'
expect_bad src/adapter/a.cpp '#include "io/network/switch.hpp"'
expect_bad src/ipc/a.cpp '#include "io/network/switch.hpp"'
expect_bad src/adapter/a.cpp '#include <causeway/causeway.hpp>'
expect_bad src/base/a.cpp '#include "../engine/copy.hpp"'
expect_bad src/cellar/a.cpp '#include "base/result.hpp"'
expect_bad include/causeway/a.hpp '#include "base/result.hpp"'
expect_bad include/causeway/abi/a.hpp '#include <vector>'
expect_bad include/causeway/abi/a.hpp '#include <causeway/causeway.h>'
expect_bad apps/causewayd/main.cpp '#include "client/partition.hpp"'
expect_bad apps/causewayd/main.cpp '#include "io/network/switch.hpp"'
expect_bad apps/causeway/main.cpp '#include "adapter/table.hpp"'
expect_bad include/causeway/result.hpp '#include <causeway/causeway.h>'
expect_bad examples/a.cpp '#include "engine/copy.hpp"'
expect_good src/adapter/a.cpp '#include "engine/copy.hpp"'
expect_good src/client/a.cpp '#include <causeway/causeway.h>'
expect_good src/io/network/a.cpp '#include "client/partition.hpp"'
expect_good src/base/a.hpp '#include <causeway/abi/status.hpp>'
expect_good src/base/a.hpp '#include <causeway/result.hpp>'
expect_good include/causeway/abi/a.hpp '#include <causeway/abi/status.hpp>'
expect_good include/causeway/a.hpp '#include <vector>'

check_tree .
echo "every #include goes down"
