#!/bin/bash
# libcauseway.so.1 in somebody else's image: the root tree of another Debian release, which has a C library and no C++
# runtime. Inside it a C program loads the library and calls it, once linked against it and once through dlopen.
#
# The tree is unpacked once, as whoever runs this, into the build folder; no privilege is needed.
# timeout: 600
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

[ -e "$CAUSEWAY_LIB/libcauseway.so.1" ] || skip "there is no libcauseway.so.1 in this build"
release=trixie
tree=$CAUSEWAY_BUILD/foreign/$release

if [ ! -d "$tree" ]; then
    mkdir -p "$tree.new.$$"
    at_exit() { rm -rf "$tree.new.$$"; }
    if ! mmdebstrap --quiet --mode=chrootless --variant=extract --include=libc6,base-files \
        "$release" "$TEST_TMP/tree.tar" >"$TEST_TMP/log" 2>&1; then
        tail -n 20 "$TEST_TMP/log"
        if grep -qE 'Could not (resolve|connect)|Temporary failure|timed out|Connection (refused|failed)|Failed to fetch' \
            "$TEST_TMP/log"; then
            skip "the package mirror cannot be reached, so there is no $release to load the library in"
        fi
        fail "mmdebstrap cannot make a tree of $release"
    fi
    tar -C "$tree.new.$$" --no-same-owner --exclude './dev/*' -xf "$TEST_TMP/tree.tar"
    mkdir -p "$tree.new.$$"/{dev,proc,tmp,mnt}
    mv -T "$tree.new.$$" "$tree" 2>/dev/null || [ -d "$tree" ]
fi
if compgen -G "$tree/usr/lib/*/libstdc++.so*" >/dev/null; then
    fail "the tree of $release has a C++ runtime, so this would prove little"
fi

cat >"$TEST_TMP/linked.c" <<'SOURCE'
#include <causeway/causeway.h>
#include <stdio.h>
int main(void) { return puts(cw_version_string()) < 0; }
SOURCE
cat >"$TEST_TMP/loaded.c" <<'SOURCE'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char** argv) {
    void* library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    const char* (*version)(void) = NULL;
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    *(void**)&version = dlsym(library, "cw_version_string");
    return version == NULL || puts(version()) < 0;
}
SOURCE
cc=${CAUSEWAY_CC:-cc}
"$cc" "$TEST_TMP/linked.c" -I "$CAUSEWAY_SOURCE/include" -o "$TEST_TMP/linked" "$CAUSEWAY_LIB/libcauseway.so.1"
"$cc" "$TEST_TMP/loaded.c" -o "$TEST_TMP/loaded"
cp "$CAUSEWAY_LIB/libcauseway.so.1" "$TEST_TMP/"

# inside PROGRAM [ARGUMENT]: in the tree, where $TEST_TMP lies at /mnt. Where this user may neither make a sandbox nor
# change root, the tree's own loader runs the program with the tree's own C library.
if bwrap --ro-bind / / true 2>/dev/null; then
    how=bubblewrap
    inside() {
        bwrap --ro-bind "$tree" / --dev /dev --proc /proc --tmpfs /tmp --ro-bind "$TEST_TMP" /mnt \
            --unshare-pid --unshare-net --setenv LD_LIBRARY_PATH /mnt "/mnt/$1" "${@:2}"
    }
    where=/mnt
elif [ "$(id -u)" -eq 0 ] && chroot / true 2>/dev/null; then
    how=chroot
    cp "$TEST_TMP/linked" "$TEST_TMP/loaded" "$TEST_TMP/libcauseway.so.1" "$tree/mnt/"
    inside() { LD_LIBRARY_PATH=/mnt chroot "$tree" "/mnt/$1" "${@:2}"; }
    where=/mnt
else
    how="its loader"
    libraries=$(echo "$tree"/usr/lib/*-linux-gnu)
    loader=$(echo "$libraries"/ld-linux*.so.*)
    inside() {
        "$loader" --inhibit-cache --library-path "$libraries:$TEST_TMP" "$TEST_TMP/$1" "${@:2}"
    }
    where=$TEST_TMP
fi

foreign=$(sed -n 's/^VERSION_CODENAME=//p' "$tree/usr/lib/os-release")
[ "$foreign" = "$release" ] || fail "the tree of $release says it is '$foreign'"
here=$(LD_LIBRARY_PATH=$CAUSEWAY_LIB "$TEST_TMP/linked")
there=$(inside linked) || fail "in $release, the program that is linked with the library"
[ "$there" = "$here" ] || fail "linked, in $release it says '$there', here '$here'"
there=$(inside loaded "$where/libcauseway.so.1") || fail "in $release, the program that loads the library"
[ "$there" = "$here" ] || fail "loaded, in $release it says '$there', here '$here'"
echo "libcauseway.so.1 ($here) loads in Debian $release (through $how)"
