#!/bin/bash
# Everything in the public headers, whatever they are called, has a description that Doxygen takes without a warning.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
command -v doxygen >/dev/null || skip "doxygen is not installed (packages.txt, [test])"

"$CAUSEWAY_SOURCE/scripts/make_reference" "$TEST_TMP/reference" >"$TEST_TMP/log" 2>&1 ||
    fail "public headers lack descriptions:"$'\n'"$(head -n 40 "$TEST_TMP/log")"
[ -s "$TEST_TMP/reference/html/index.html" ] || fail "there is no html/index.html"
headers=0
for header in "$CAUSEWAY_SOURCE"/include/causeway/*.h*; do
    name=$(basename "$header")
    headers=$((headers + 1))
    grep -qrF "$name" "$TEST_TMP/reference/html/files.html" || fail "the reference leaves out $name"
done

# It sees what has none, in a header that nobody has named anywhere.
mkdir -p "$TEST_TMP/copy"
cp -r "$CAUSEWAY_SOURCE"/{CMakeLists.txt,include,docs,scripts} "$TEST_TMP/copy/"
printf '// A header.\n#pragma once\n\nint documented();  // is so\nint forgotten();\n' >"$TEST_TMP/copy/include/causeway/new_one.hpp"
if "$TEST_TMP/copy/scripts/make_reference" "$TEST_TMP/other" >"$TEST_TMP/log" 2>&1; then
    fail "a function without description passes"
fi
grep -q 'new_one.hpp:5: .*forgotten' "$TEST_TMP/log" || fail "it is not named: $(<"$TEST_TMP/log")"
if grep -q 'documented()' "$TEST_TMP/log"; then
    fail "a comment behind a function is no description: $(<"$TEST_TMP/log")"
fi
echo "the reference covers $headers headers"
