#!/bin/bash
# Every header compiles by itself, with the flags that matter, and only once in one file; causeway.h also as C11. Of a header
# that its own source includes in front of everything else the build has shown the first.
# timeout: 900
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
cd "$CAUSEWAY_SOURCE"

cxx=${CAUSEWAY_CXX:-c++}
cc=${CAUSEWAY_CC:-cc}
flags=(-fsyntax-only -Wall -Wextra -Wpedantic -Werror -I include -I src)

folders=()
for folder in include src apps bench/lab bench/peer; do
    if [ -d "$folder" ]; then folders+=("$folder"); fi
done
mapfile -t headers < <(find "${folders[@]}" -name '*.hpp' | LC_ALL=C sort)

# comes_first HEADER: is it what the source of its name includes first?
comes_first() {
    local source=${1%.hpp}.cpp
    [[ $1 == src/*/* ]] && [ -e "$source" ] &&
        [ "$(grep -m 1 '^#include' "$source")" = "#include \"${1#src/}\"" ]
}

# A header of a program also sees that program's own folder, as its sources do; one of the laboratory, the tool's too.
compile() {
    local header=$1 own=() errors=$TEST_TMP/error.${1//\//-}
    if [[ $header == apps/*/* ]]; then
        own=(-I "$(cut -d / -f 1-2 <<<"$header")")
    elif [[ $header == bench/* ]]; then
        own=(-I bench -I apps/causeway)
    fi
    if ! printf '#include "%s"\n' "$PWD/$header" |
        "$cxx" -std=c++20 "${flags[@]}" "${own[@]}" -x c++ - 2>"$errors"; then
        printf '%s does not compile alone:\n%s\n' "$header" "$(head -n 5 "$errors")"
        touch "$TEST_TMP/bad"
    fi
}

running=0
compiled=0
for header in "${headers[@]}"; do
    if ! grep -q '^#pragma once$' "$header"; then
        echo "$header has no #pragma once"
        touch "$TEST_TMP/bad"
    fi
    ! comes_first "$header" || continue
    compiled=$((compiled + 1))
    compile "$header" &
    running=$((running + 1))
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n
        running=$((running - 1))
    fi
done
wait

for c_header in include/causeway/causeway.h include/causeway/ipc.h; do
    [ -e "$c_header" ] || continue
    for language in c c++; do
        standard=$([ "$language" = c ] && echo c11 || echo c++20)
        compiler=$([ "$language" = c ] && echo "$cc" || echo "$cxx")
        if ! printf '#include <%s>\n#include <%s>\n' "${c_header#include/}" "${c_header#include/}" |
            "$compiler" -std="$standard" "${flags[@]}" -x $language -; then
            echo "$c_header does not compile alone as $standard"
            touch "$TEST_TMP/bad"
        fi
    done
done

# The check sees a header that needs another one first.
mkdir -p "$TEST_TMP/self"
echo 'inline std::size_t size() { return 0; }' >"$TEST_TMP/self/needy.hpp"
if printf '#include "%s"\n' "$TEST_TMP/self/needy.hpp" |
    "$cxx" -std=c++20 "${flags[@]}" -x c++ - 2>"$TEST_TMP/error"; then
    fail "a header that lacks an #include passes"
fi

if [ -e "$TEST_TMP/bad" ]; then
    exit 1
fi
echo "${#headers[@]} headers compile alone, $((${#headers[@]} - compiled)) of them by the build"
