#!/bin/bash
# Links in the documents lead to files that are there, and so do the paths that docs/origins.md names; docs/index.md
# lists every document.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

cd "$CAUSEWAY_SOURCE"
links=0
while read -r document; do
    while read -r link; do
        links=$((links + 1))
        [ -e "$(dirname "$document")/$link" ] || fail "$document links to $link, which is not there"
    done < <(grep -oE '\]\([^)#]+\)' "$document" | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:' || true)
done < <(find . -maxdepth 1 -name '*.md'; find docs -name '*.md')
[ "$links" -ge 5 ] || fail "only $links links were found"

paths=0
while read -r path; do
    paths=$((paths + 1))
    compgen -G "$path" >/dev/null || fail "docs/origins.md names $path, which is not there"
done < <(grep -oE '`(src|include|apps|tests|docs|examples)/[^`]*`' docs/origins.md | tr -d '`' | sort -u)
[ "$paths" -ge 10 ] || fail "only $paths paths were found"
documents=0
while read -r document; do
    documents=$((documents + 1))
    grep -qF "](${document#docs/})" docs/index.md || fail "docs/index.md does not list $document"
done < <(find docs -name '*.md' ! -path docs/index.md)
[ "$documents" -ge 10 ] || fail "only $documents documents were found"
echo "$documents documents are listed, $links links and $paths paths are there"
