#!/bin/bash
# Every command has a manual page, and every page renders without a warning and says what it has to.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
command -v man >/dev/null || skip "man is not installed (packages.txt, [test]: man-db)"
cd "$CAUSEWAY_SOURCE/docs/man"

render() { { MANROFFSEQ='' MANWIDTH=100 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" >/dev/null; } 2>&1; }

pages=0
for page in *.[1-8]; do
    pages=$((pages + 1))
    said=$(render "$page") || fail "$page does not render: $said"
    [ -z "$said" ] || fail "$page: $said"
    name=${page%.*}
    grep -q "^.TH ${name^^} ${page##*.} " <(sed 's/\\-/-/g' "$page") || fail "$page has another title than ${name^^} ${page##*.}"
    for section in NAME DESCRIPTION 'SEE ALSO'; do
        grep -qE "^\.SH \"?$section\"?$" "$page" || fail "$page has no section $section"
    done
done

# A page that others name is there, if it is one of ours.
while read -r name section; do
    [ -e "$name.$section" ] || fail "$name($section) is named and not there"
done < <(sed 's/\\-/-/g' ./*.[1-8] | sed -nE 's/^\.BR ([a-z.-]*causeway[a-z.-]*) \(([1-8])\).*/\1 \2/p' | sort -u)

# Every command of the tool.
commands=0
while read -r command; do
    commands=$((commands + 1))
    [ -e "causeway-$command.1" ] || fail "causeway $command has no manual page docs/man/causeway-$command.1"
    grep -qE "^\.B(R)? $command( |\$)" causeway.1 || fail "causeway(1) does not list $command"
done < <("$CAUSEWAY_BIN/causeway" --help | awk '/^Subcommands:/ { on = 1; next } on && /^$/ { exit } on && /^  [a-z]/ { print $1 }')
[ "$commands" -ge 5 ] || fail "only $commands commands were found in causeway --help"

# It sees what does not render.
printf '.TH BAD 1\n.SH NAME\nbad \\- \\[nosuchglyph]\n' >"$TEST_TMP/bad.1"
[ -n "$(render "$TEST_TMP/bad.1")" ] || fail "a page with an unknown character renders without a warning"
echo "$pages pages render, and $commands commands have one"
