#!/bin/bash
# docs/tutorial.md, word by word: every ```sh block is run, in order, in one shell with a home of its own, and what a
# ```text block behind it shows has to be in its output. `...` there stands for anything.
# timeout: 300
# serial
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

tutorial=$CAUSEWAY_SOURCE/docs/tutorial.md
bwrap --unshare-all --ro-bind / / true 2>/dev/null || skip "bubblewrap sandboxes are refused to this user here"
for command in doctor config auth stats top; do
    "$CAUSEWAY_BIN/causeway" "$command" --help >/dev/null 2>&1 ||
        skip "this build has no causeway $command, which the tutorial uses"
done

shell=
at_exit() { [ -z "$shell" ] || kill -KILL -- "-$shell" 2>/dev/null; }

# The blocks, as files NUMBER.sh and NUMBER.text of the same number.
mkdir "$TEST_TMP/blocks" "$TEST_TMP/home"
awk -v folder="$TEST_TMP/blocks" '
    /^```sh$/ { kind = "sh"; number++; next }
    /^```text$/ { kind = "text"; next }
    /^```$/ { kind = ""; next }
    /^```/ { print "docs/tutorial.md:" NR ": a block that is neither sh nor text"; exit 1 }
    kind != "" { print > sprintf("%s/%02d.%s", folder, number, kind) }
' "$tutorial" || fail "docs/tutorial.md has blocks that cannot be followed"
blocks=$(find "$TEST_TMP/blocks" -name '*.sh' | wc -l)
[ "$blocks" -ge 10 ] || fail "only $blocks blocks were found"

# A checkout in which `make` finds everything built: this test is about what comes behind it.
mkdir "$TEST_TMP/checkout"
ln -s "$CAUSEWAY_BUILD" "$TEST_TMP/checkout/build"
for entry in "$CAUSEWAY_SOURCE"/*; do
    [ "$(basename "$entry")" = build ] || ln -s "$entry" "$TEST_TMP/checkout/"
done

# One shell for all blocks. It writes which commands of a block failed where nothing said they might.
{
    echo 'cd "$1"'
    echo 'make() { command make -o build "$@"; }'
    cat <<'TRAP'
trap 'printf "%s\n" "$BASH_COMMAND" >>"$failures"' ERR
TRAP
    for block in "$TEST_TMP"/blocks/*.sh; do
        name=${block%.sh}
        echo "failures=$name.failures"
        echo "exec >$name.out 2>&1"
        cat "$block"
        echo "touch $name.done"
    done
} >"$TEST_TMP/all.sh"
setsid env -i PATH="$PATH" HOME="$TEST_TMP/home" LANG=C.UTF-8 bash "$TEST_TMP/all.sh" "$TEST_TMP/checkout" &
shell=$!
wait "$shell" || true

literally() { [ -z "$1" ] || printf '%q' "$1"; }
for block in "$TEST_TMP"/blocks/*.sh; do
    name=${block%.sh}
    output=$(cat "$name.out" 2>/dev/null || true)
    what="block $(basename "$name")"$'\n'"$(<"$block")"$'\n'"--- which said:"$'\n'"$output"
    [ -e "$name.done" ] || fail "the shell ended in $what"
    [ ! -e "$name.failures" ] || fail "failed: $(<"$name.failures")"$'\n'"in $what"
    [ -e "$name.text" ] || continue
    rest=$output
    while IFS= read -r line; do
        pattern=
        piece=$line
        while [[ $piece == *...* ]]; do
            pattern+="$(literally "${piece%%...*}")*"
            piece=${piece#*...}
        done
        pattern="*$pattern$(literally "$piece")*"
        found=
        # In this order, though other lines may stand between.
        while [ -n "$rest" ]; do
            first=${rest%%$'\n'*}
            if [[ $rest == *$'\n'* ]]; then rest=${rest#*$'\n'}; else rest=; fi
            # shellcheck disable=SC2053 # a pattern is what it is
            if [[ $first == $pattern ]]; then
                found=1
                break
            fi
        done
        [ -n "$found" ] || fail "no line like '$line' in the output of $what"
    done <"$name.text"
done
[ ! -e "$TEST_TMP/home/causeway-tutorial" ] || fail "it leaves ~/causeway-tutorial behind"
left=$(find "$TEST_TMP/home" -mindepth 1 | head -n 5)
[ -z "$left" ] || fail "it leaves behind: $left"
echo "the $blocks blocks of the tutorial do what it says"
