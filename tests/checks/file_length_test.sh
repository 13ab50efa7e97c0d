#!/bin/bash
# No file of the product over 500 lines: past that it is split by flow.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
cd "$CAUSEWAY_SOURCE"

limit=500
folders=()
for folder in include src apps bench; do
    if [ -d "$folder" ]; then folders+=("$folder"); fi
done
long=$(find "${folders[@]}" -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print0 |
    xargs -0 -r awk -v limit=$limit '
        FNR == 1 && name != "" && lines > limit { print name ": " lines " lines" }
        { name = FILENAME; lines = FNR }
        END { if (lines > limit) print name ": " lines " lines" }')
[ -z "$long" ] || fail "over $limit lines:"$'\n'"$long"
