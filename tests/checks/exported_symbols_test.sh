#!/bin/bash
# libcauseway.so.1 exports the cw_* functions listed in src/client/symbols.txt and nothing else, and loads in anybody's
# image: no C++ runtime needed, no glibc newer than 2.34.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

library=$CAUSEWAY_LIB/libcauseway.so.1
listed=$CAUSEWAY_SOURCE/src/client/symbols.txt
newest_glibc=2.34
if [ ! -e "$library" ]; then
    skip "there is no $library in this build"
fi

# Version nodes of the version script are absolute symbols; they are not exports.
readelf -W --dyn-syms "$library" >"$TEST_TMP/symbols"
awk '$5 != "LOCAL" && $7 != "UND" && $7 != "ABS" && $8 != "" && $1 ~ /^[0-9]+:$/ { sub(/@.*/, "", $8); print $8 }' \
    "$TEST_TMP/symbols" | LC_ALL=C sort -u >"$TEST_TMP/exported"

if grep -v '^cw_' "$TEST_TMP/exported"; then
    fail "these are exported and do not begin with cw_"
fi
[ -s "$TEST_TMP/exported" ] || fail "nothing is exported"
[ -e "$listed" ] || fail "there is no $listed to compare with"
sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$listed" | LC_ALL=C sort -u >"$TEST_TMP/listed"
if ! diff -u "$TEST_TMP/listed" "$TEST_TMP/exported"; then
    fail "exports differ from src/client/symbols.txt (- listed only, + exported only)"
fi

# What the headers declare is what is exported.
headers=("$CAUSEWAY_SOURCE"/include/causeway/*.h)
if [ -e "${headers[0]}" ]; then
    sed 's,/\*.*\*/,,' "${headers[@]}" | grep -oE '\bcw_[a-z0-9_]+ *\(' | tr -d ' (' | LC_ALL=C sort -u >"$TEST_TMP/declared"
    missing=$(LC_ALL=C comm -23 "$TEST_TMP/exported" "$TEST_TMP/declared")
    [ -z "$missing" ] || fail "exported but not declared in a C header:"$'\n'"$missing"
fi

readelf -W -d "$library" >"$TEST_TMP/dynamic"
needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$TEST_TMP/dynamic")
for name in $needed; do
    case $name in
    libc.so.6 | libm.so.6 | libpthread.so.0 | libdl.so.2 | librt.so.1 | ld-linux*) ;;
    *) fail "it needs $name; everything but the C library belongs inside" ;;
    esac
done
grep -q 'SONAME.*\[libcauseway.so.1\]' "$TEST_TMP/dynamic" || fail "its soname is not libcauseway.so.1"
if grep -E 'RPATH|RUNPATH' "$TEST_TMP/dynamic"; then
    fail "it carries a search path"
fi

too_new=$(grep -oE '@GLIBC_[0-9.]+' "$TEST_TMP/symbols" | sed 's/@GLIBC_//' | sort -Vu |
    awk -v newest="$newest_glibc" '
        { split($1, have, "."); split(newest, limit, ".")
          if (have[1] > limit[1] || (have[1] == limit[1] && have[2] + 0 > limit[2] + 0)) print }')
if [ -n "$too_new" ]; then
    for version in $too_new; do
        grep -F "@GLIBC_$version" "$TEST_TMP/symbols" | awk '{ print $8 }' >&2
    done
    fail "these need a glibc newer than $newest_glibc"
fi
echo "$(wc -l <"$TEST_TMP/exported") symbols, all listed; needs: $(tr '\n' ' ' <<<"$needed")"
