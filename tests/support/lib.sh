# shellcheck shell=bash
# What the script tests share; source it after `set -euo pipefail`.
#
# Sets TEST_TMP, a folder that is removed at the end, and the CAUSEWAY_* folders when the script is started by hand:
# CAUSEWAY_SOURCE (this tree), CAUSEWAY_BUILD, CAUSEWAY_BIN, CAUSEWAY_LIB.
# A script may define at_exit() for what else it has to clear away.

CAUSEWAY_SOURCE=${CAUSEWAY_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
CAUSEWAY_BUILD=${CAUSEWAY_BUILD:-$CAUSEWAY_SOURCE/build}
CAUSEWAY_BIN=${CAUSEWAY_BIN:-$CAUSEWAY_BUILD/bin}
CAUSEWAY_LIB=${CAUSEWAY_LIB:-$CAUSEWAY_BUILD/lib}
export CAUSEWAY_SOURCE CAUSEWAY_BUILD CAUSEWAY_BIN CAUSEWAY_LIB

TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/causeway-test.XXXXXX")
at_exit() { :; }
finish() {
    local status=$?
    at_exit || true
    rm -rf "$TEST_TMP"
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# skip REASON: ends the test as skipped.
skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

# expect_contains TEXT PART: fails, showing the text, when the part is not in it.
expect_contains() {
    [[ $1 == *"$2"* ]] || fail "expected '$2' in:"$'\n'"$1"
}
