#!/bin/bash
# scripts/dependencies: what it does as root, as another user, on a terminal, without apt and without dpkg.
# apt-get, sudo and id are stand-ins that note how they were called; nothing is installed here.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# A copy that any user may read, wherever this tree lies.
chmod 755 "$TEST_TMP"
mkdir "$TEST_TMP/scripts" "$TEST_TMP/tools"
cp "$CAUSEWAY_SOURCE/scripts/dependencies" "$TEST_TMP/scripts/dependencies"
cat >"$TEST_TMP/packages.txt" <<'LIST'
# A comment.
[build]    # what is always there
bash
coreutils  # not in the test group
[test]
causeway-no-such-a
bash
causeway-no-such-b
LIST
chmod -R a+rX "$TEST_TMP"
dependencies=$TEST_TMP/scripts/dependencies
calls=$TEST_TMP/calls
unset CAUSEWAY_DEPENDENCIES CAUSEWAY_PACKAGES
missing='causeway-no-such-a causeway-no-such-b'
install="apt-get install -y --no-install-recommends $missing"

# tool NAME SCRIPT: a stand-in for a program in front of the real ones.
tool() {
    printf '#!/bin/bash\n%s\n' "$2" >"$TEST_TMP/tools/$1"
    chmod 755 "$TEST_TMP/tools/$1"
}

as_user() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# run EXPECTED_STATUS COMMAND...: leaves what it said in $output.
run() {
    local expected=$1 status=0
    shift
    : >"$calls"
    chmod 666 "$calls"
    output=$("$@" 2>&1 </dev/null) || status=$?
    [ "$status" -eq "$expected" ] || fail "status $status, not $expected, from: $*"$'\n'"$output"
}

# Everything there: silence. An unknown group is a mistake in the Makefile.
run 0 "$dependencies" build
[ -z "$output" ] || fail "not silent when nothing is missing: $output"
run 2 "$dependencies" no-such-group
expect_contains "$output" no-such-group

# Another user without a terminal: the one command, and a stop.
run 1 as_user "$dependencies" build test
expect_contains "$output" "  sudo $install"

# Another user on a terminal: asked; no means no, yes runs that command.
tool sudo "echo \"sudo \$*\" >>'$calls'"
for answer in n y; do
    : >"$calls"
    status=0
    output=$({ sleep 0.3; echo $answer; sleep 0.3; } | as_user env PATH="$TEST_TMP/tools:$PATH" \
        script -qec "$dependencies build test" /dev/null) || status=$?
    expect_contains "$output" 'Run this now?'
    if [ $answer = n ]; then
        [ "$status" -ne 0 ] || fail "goes on after a no"
        [ ! -s "$calls" ] || fail "runs sudo after a no: $(cat "$calls")"
    else
        [ "$status" -eq 0 ] || fail "stops after a yes: $output"
        [ "$(cat "$calls")" = "sudo $install" ] || fail "after a yes it ran: $(cat "$calls")"
    fi
done

# Root: installs, saying which; when that fails it updates the lists once and tries again.
tool id 'echo 0'
tool apt-get "echo \"\$*\" >>'$calls'
case \"\$*\" in
*' update') touch '$TEST_TMP/updated' ;;
*) [ -e '$TEST_TMP/updated' ] || { echo 'E: Unable to locate package' >&2; exit 100; } ;;
esac"
run 0 env PATH="$TEST_TMP/tools:$PATH" "$dependencies" build test
expect_contains "$output" "Installing Debian packages: $missing"
expect_contains "$(tail -n 1 "$calls")" "install -y --no-install-recommends $missing"
[ "$(grep -c ' update$' "$calls")" -eq 1 ] || fail "not one update: $(cat "$calls")"

# Root, and the packages cannot be had: apt's words, the command, a stop.
tool apt-get "echo 'E: Unable to locate package' >&2; exit 100"
run 1 env PATH="$TEST_TMP/tools:$PATH" "$dependencies" build test
expect_contains "$output" 'E: Unable to locate package'
expect_contains "$output" "$install"

# Without apt-get, then without dpkg too: it says what is needed, by name.
mkdir "$TEST_TMP/bare"
for name in bash dirname id cat dpkg-query env; do
    ln -s "$(type -P $name)" "$TEST_TMP/bare/$name"
done
run 0 env PATH="$TEST_TMP/bare" "$dependencies" build
run 1 env PATH="$TEST_TMP/bare" "$dependencies" build test
expect_contains "$output" 'no apt-get'
expect_contains "$output" "$missing"
rm "$TEST_TMP/bare/dpkg-query"
run 1 env PATH="$TEST_TMP/bare" "$dependencies" build
expect_contains "$output" 'bash coreutils'
expect_contains "$output" 'CAUSEWAY_DEPENDENCIES=skip'
run 0 env PATH="$TEST_TMP/bare" CAUSEWAY_DEPENDENCIES=skip "$dependencies" build

# The real list: every group that the Makefile names is in it.
cp "$CAUSEWAY_SOURCE/packages.txt" "$TEST_TMP/packages.txt"
groups=$(sed -n 's/^\t@scripts\/dependencies //p' "$CAUSEWAY_SOURCE/Makefile" | tr ' ' '\n' | sort -u)
[ -n "$groups" ] || fail "the Makefile calls scripts/dependencies nowhere"
for group in $groups; do
    grep -q "^\[$group\]" "$TEST_TMP/packages.txt" || fail "packages.txt has no group [$group]"
done
