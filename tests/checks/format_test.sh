#!/bin/bash
# Every source file is as clang-format 14 would write it. `make format` repairs it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

version=$(clang-format --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
if [ "$version" != 14 ]; then
    skip "clang-format is version $version; the tree is held to version 14"
fi
"$CAUSEWAY_SOURCE/scripts/format" --check
