#!/bin/bash
# The Debian packages: made from this build, looked at by lintian, installed into a fresh root tree of this Debian
# release, tried there, removed and purged, after which nothing of them is left. What cannot be done here is said.
#
# The tree without the packages is made once, into the build folder.
# timeout: 600
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

[ -e "$CAUSEWAY_BUILD/CPackConfig.cmake" ] || skip "this build makes no packages"
for tool in dpkg-shlibdeps cpack; do
    command -v "$tool" >/dev/null || skip "$tool is not installed (packages.txt, [build] and [deb])"
done
not_done() { printf 'NOT DONE: %s\n' "$*"; }
names=(libcauseway1 libcauseway-dev causewayd causeway-tools)
[ ! -e "$CAUSEWAY_LIB/nbdkit-causeway-plugin.so" ] || names+=(causeway-nbdkit)
packages=$TEST_TMP/packages
root=$TEST_TMP/root

# ---- what is in them

"$CAUSEWAY_SOURCE/scripts/make_packages" "$CAUSEWAY_BUILD" "$packages" >"$TEST_TMP/log" 2>&1 ||
    fail "no packages: $(<"$TEST_TMP/log")"
for name in "${names[@]}"; do
    file=$(compgen -G "$packages/${name}_*.deb") || fail "there is no package $name"
    dpkg-deb -x "$file" "$TEST_TMP/unpacked"
    for field in Depends Description Maintainer Section; do
        [ -n "$(dpkg-deb -f "$file" $field)" ] || fail "$name has no field $field"
    done
done
[ "$(find "$packages" -name '*.deb' | wc -l)" = ${#names[@]} ] || fail "other packages: $(ls "$packages")"
if [[ " ${names[*]} " == *" causeway-nbdkit "* ]]; then
    plugin=$(find "$TEST_TMP/unpacked" -path '*/nbdkit/plugins/nbdkit-causeway-plugin.so')
    [ -n "$plugin" ] || fail "causeway-nbdkit holds no plugin where nbdkit looks for it"
    if command -v nbdkit >/dev/null; then
        expect_contains "$(LD_LIBRARY_PATH=$CAUSEWAY_LIB nbdkit --dump-plugin "$plugin")" causeway_version=
    fi
fi
# Read from what the daemon is linked with.
expect_contains "$(dpkg-deb -f "$packages"/causewayd_*.deb Depends)" libc6
version=$(dpkg-deb -f "$packages"/libcauseway1_*.deb Version)
expect_contains "$(dpkg-deb -f "$packages"/libcauseway-dev_*.deb Depends)" "libcauseway1 (= $version)"
if grep -rIl "$CAUSEWAY_SOURCE" "$TEST_TMP/unpacked"; then
    fail "these files of the packages name the source tree"
fi
# A file that is there means: what it does not allow is denied. That is for the administrator to put there.
[ ! -e "$TEST_TMP/unpacked/etc" ] || fail "the packages bring a configuration"

if command -v lintian >/dev/null; then
    lintian --allow-root --tag-display-limit 0 "$packages"/*.deb >"$TEST_TMP/lintian" 2>&1 || true
    if grep '^E:' "$TEST_TMP/lintian"; then
        fail "lintian finds errors"
    fi
    echo "lintian: no errors, $(grep -c '^W:' "$TEST_TMP/lintian" || true) warnings"
else
    not_done "lintian is not installed"
fi

# ---- the units

unit=$TEST_TMP/unpacked/lib/systemd/system/causewayd.service
if command -v systemd-analyze >/dev/null; then
    mkdir "$TEST_TMP/units"
    cp "$unit" "${unit%service}socket" "$TEST_TMP/units/"
    # It also looks for the programs that a unit names.
    sed -i "s|/usr/bin/causewayd|$CAUSEWAY_BIN/causewayd|" "$TEST_TMP/units/causewayd.service"
    said=$(cd "$TEST_TMP/units" && systemd-analyze verify --man=no ./causewayd.service ./causewayd.socket 2>&1) ||
        fail "systemd-analyze verify: $said"
    if grep -F "$TEST_TMP/units" <<<"$said"; then
        fail "systemd-analyze verify complains"
    fi
    # In tenths: 1.5 at most, where 10 is a service that may do everything.
    said=$(systemd-analyze security --offline=yes --threshold=15 "$TEST_TMP/units/causewayd.service") ||
        fail "the unit is less hardened than it was: $said"
    tail -n 1 <<<"$said"
else
    not_done "systemd-analyze is not installed: the units were not verified"
fi

# ---- installed

codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
what_is_left() {
    echo "the packages hold what they should; they were not installed"
    exit 0
}
if [ "$(id -u)" -ne 0 ]; then
    not_done "only root can make a root tree to install them in"
    what_is_left
fi
if ! command -v mmdebstrap >/dev/null || ! bwrap --cap-add ALL --ro-bind / / true 2>/dev/null; then
    not_done "mmdebstrap or bubblewrap does not work here"
    what_is_left
fi

# What they need of others, the smaller of alternatives.
needs=$(for file in "$packages"/*.deb; do dpkg-deb -f "$file" Depends; done | tr ',' '\n' |
    sed -E 's/.*\|//; s/\([^)]*\)//; s/ //g' | grep -v '^libcauseway' | sort -u | paste -sd,)
tree=$CAUSEWAY_BUILD/foreign/packages-$codename-$(cksum <<<"$needs" | cut -d ' ' -f 1).tar
if [ ! -e "$tree" ]; then
    mkdir -p "$CAUSEWAY_BUILD/foreign"
    if ! mmdebstrap --quiet --variant=essential --include="$needs" "$codename" "$TEST_TMP/tree.tar" \
        >"$TEST_TMP/log" 2>&1; then
        tail -n 20 "$TEST_TMP/log"
        not_done "mmdebstrap made no tree of $codename"
        if grep -qE 'Could not (resolve|connect)|Temporary failure|timed out|Connection (refused|failed)|Failed to fetch' \
            "$TEST_TMP/log"; then
            what_is_left
        fi
        fail "mmdebstrap cannot make a tree of $codename with $needs"
    fi
    mv "$TEST_TMP/tree.tar" "$tree.$$"
    mv "$tree.$$" "$tree"
fi
mkdir "$root"
tar -C "$root" --exclude './dev/*' -xf "$tree"
mkdir -p "$root/dev" "$root/proc" "$root/tmp"

# inside COMMAND...: as root in the tree; what it leaves running ends with it.
inside() {
    bwrap --bind "$root" / --dev /dev --proc /proc --tmpfs /tmp --ro-bind "$packages" /mnt --unshare-pid --unshare-net \
        --die-with-parent --cap-add ALL --clearenv --setenv PATH /usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
listing() { (cd "$root" && find . -xdev | LC_ALL=C sort); }
listing >"$TEST_TMP/before"
inside sh -c 'dpkg --force-unsafe-io -i /mnt/*.deb' >"$TEST_TMP/log" 2>&1 || fail "dpkg -i: $(<"$TEST_TMP/log")"
if grep -iE 'error|warning|not found' "$TEST_TMP/log"; then
    fail "the installation complains: $(<"$TEST_TMP/log")"
fi
inside getent passwd causeway >/dev/null || fail "the daemon's user was not made"
[[ $(inside ldconfig -p) == *libcauseway.so.1* ]] || fail "the library is not where the loader looks"
[ -L "$root/etc/systemd/system/sockets.target.wants/causewayd.socket" ] || fail "the socket is not enabled"

# A program against the development package, by pkg-config as it lies in the tree; the tree has no compiler.
folder=$(dirname "$(find "$root/usr/lib" -name causeway.pc)")
read -r -a flags <<<"$(PKG_CONFIG_PATH=$folder pkg-config --cflags --libs causeway)"
cat >"$TEST_TMP/try.c" <<'SOURCE'
#include <causeway/causeway.h>
#include <stdio.h>
int main(void) {
    cw_attach_options options = {.size = sizeof options, .name = "tried"};
    cw_partition* partition = NULL;
    if (cw_partition_attach(&options, &partition) != CW_OK) {
        puts(cw_error_text());
        return 1;
    }
    printf("%s at %s\n", cw_partition_name(partition), cw_partition_socket(partition));
    cw_partition_close(partition);
    return 0;
}
SOURCE
"${CAUSEWAY_CC:-cc}" -std=c11 -Wall -Werror "$TEST_TMP/try.c" -o "$root/usr/local/bin/try" "${flags[@]}" ||
    fail "a program does not build against libcauseway-dev"
printf '#include <causeway/causeway.hpp>\nint main() { return causeway::Partition::attach("x") ? 1 : 0; }\n' >"$TEST_TMP/try.cpp"
"${CAUSEWAY_CXX:-c++}" -std=c++20 -Wall -Werror "$TEST_TMP/try.cpp" -o "$TEST_TMP/try_cpp" "${flags[@]}" ||
    fail "a program in C++ does not build against libcauseway-dev"

# The daemon as its own user, the tools and the program as that user's partitions.
cat >"$root/usr/local/bin/session" <<'SESSION'
set -e
user="setpriv --reuid causeway --regid causeway --clear-groups"
install -d -o causeway -g causeway -m 700 /run/causeway
$user causewayd --runtime-dir /run/causeway --entrance orders --log-level warning &
daemon=$!
for _ in $(seq 500); do
    if [ -S /run/causeway/fabric.sock ]; then break; fi
    kill -0 $daemon
    sleep 0.02
done
$user causeway info
$user try
CAUSEWAY_SOCKET=/run/causeway/orders/fabric.sock causeway info --json | grep -c '"adapter"'
kill $daemon
wait $daemon
echo the daemon ended in order
SESSION
said=$(inside sh /usr/local/bin/session 2>&1) || fail "in the tree: $said"
expect_contains "$said" "tried at /run/causeway/fabric.sock"
expect_contains "$said" "the daemon ended in order"
inside causeway --version

# The example is a file that the tools take.
if inside causeway config check --help >/dev/null 2>&1; then
    said=$(inside causeway config check /usr/share/doc/causewayd/examples/causeway.toml 2>&1) ||
        fail "the example of a configuration has mistakes: $said"
else
    not_done "there is no causeway config check yet: the example file was not looked at"
fi

# ---- gone

rm "$root/usr/local/bin/session" "$root/usr/local/bin/try"
inside dpkg -r "${names[@]}" >"$TEST_TMP/log" 2>&1 || fail "dpkg -r: $(<"$TEST_TMP/log")"
if inside sh -c 'command -v causeway || command -v causewayd'; then
    fail "programs are there after dpkg -r"
fi
inside dpkg -P "${names[@]}" >"$TEST_TMP/log" 2>&1 || fail "dpkg -P: $(<"$TEST_TMP/log")"
listing >"$TEST_TMP/after"
# Not the packages': dpkg's own books, the loader's, and spare copies of the list of users, of whom one is new.
left=$(comm -13 "$TEST_TMP/before" "$TEST_TMP/after" |
    grep -vE '^\./(var/lib/dpkg/|var/log/|var/cache/|etc/(passwd|group|shadow|gshadow|\.pwd\.lock|subuid|subgid))' || true)
[ -z "$left" ] || fail "after dpkg -P there is still: $left"
if ls "$root"/var/lib/dpkg/info/*causeway* "$root"/var/log/causeway* 2>/dev/null; then
    fail "after dpkg -P there is still something"
fi
echo "the packages of $version install, work and go (the user causeway stays, as users of services do in Debian)"
