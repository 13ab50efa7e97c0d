#!/bin/bash
# The commit that programs report: what git says, "unknown" without it, and a new one recompiles one source only.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

command -v git >/dev/null || skip "git is not installed"
tree=$TEST_TMP/tree
output=$TEST_TMP/generated/commit.cpp
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CEILING_DIRECTORIES=$TEST_TMP
write() { cmake -D SOURCE="$1" -D OUTPUT="$output" -P "$CAUSEWAY_SOURCE/cmake/write_commit.cmake"; }
reported() { sed -n 's/.*return "\(.*\)".*/\1/p' "$output"; }
expect_commit() { [ "$(reported)" = "$1" ] || fail "$2: '$(reported)' is reported instead of '$1'"; }
commit() { git -C "$tree" -c user.name=x -c user.email=x@localhost commit -q --allow-empty -m "$1"; }
head_of() { git -C "$tree" rev-parse --short=12 HEAD; }

mkdir -p "$tree/inside"
write "$tree"
expect_commit unknown "outside of git"

git init -q "$tree"
write "$tree"
expect_commit unknown "before the first commit"
echo one >"$tree/file"
git -C "$tree" add file
commit first
git -C "$tree" -c user.name=x -c user.email=x@localhost tag -a -m tag v9
write "$tree"
expect_commit "$(head_of)" "at a commit, whatever its tags"

# Nothing new: the file is not touched, so nothing is compiled.
touch -d 2001-05-04 "$output"
write "$tree"
[ "$(stat -c %Y "$output")" = "$(date -d 2001-05-04 +%s)" ] || fail "the same commit was written once more"

commit second
write "$tree"
expect_commit "$(head_of)" "at the next commit"
echo two >"$tree/file"
write "$tree"
expect_commit "$(head_of)+" "with a change"
write "$tree/inside"
expect_commit unknown "in a folder of another checkout"
PATH=$TEST_TMP "$(command -v cmake)" -D SOURCE="$tree" -D OUTPUT="$output" -D CMAKE_SYSTEM_PROGRAM_PATH= \
    -D CMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -P "$CAUSEWAY_SOURCE/cmake/write_commit.cmake"
expect_commit unknown "without git"

# In the build, one object is made of it.
if [ -f "$CAUSEWAY_BUILD/build.ninja" ]; then
    objects=$(grep -c '^build [^:]*\.o: [^|]*generated/commit\.cpp' "$CAUSEWAY_BUILD/build.ninja" || true)
    [ "$objects" = 1 ] || fail "$objects objects are compiled when the commit changes"
fi
echo "the commit is reported"
