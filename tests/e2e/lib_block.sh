# shellcheck shell=bash
# shellcheck disable=SC2034 # what tests use
# What the tests of disks share; source it after support/lib.sh.
#
# The partition `storage` serves disks of images in $images; each nbdkit is a partition of its own, which listens on a
# Unix socket.

# shellcheck source=tests/e2e/lib_fabric.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib_fabric.sh"

plugin=$CAUSEWAY_LIB/nbdkit-causeway-plugin.so
images=$TEST_TMP # where the disks lie
export LD_LIBRARY_PATH=$CAUSEWAY_LIB
export LIBGUESTFS_BACKEND=direct
declare -A nbdkit_pid=() # by name
mounts=()                # file systems that go with the test, in a namespace of its own, the latest last
executor=any

need() {
    need_programs nbdkit "$@"
    [ -e "$plugin" ] || skip "this build has no plugin of nbdkit (packages.txt, [build]: nbdkit-plugin-dev)"
}

at_exit() { # finish() of support/lib.sh calls it, and has the status
    local i
    for ((i = ${#mounts[@]} - 1; i >= 0; --i)); do umount --lazy "${mounts[i]}" || true; done
    end_all "${nbdkit_pid[@]}"
    tell_of_failure
}
# unmount FOLDER: the kernel lets go of what a ring of io_uring held a moment after its process.
unmount() {
    until_true "the end of $1" umount "$1" 2>>"$TEST_TMP/umount.log"
    unset "mounts[-1]"
}
need_fuse() { [ -w /dev/fuse ] || skip "no /dev/fuse here, or not for this user"; }
# start_nbdfuse FOLDER WORDS...: what nbdfuse is told, as the file FOLDER/nbd under $TEST_TMP.
start_nbdfuse() {
    local folder=$TEST_TMP/$1
    shift
    mkdir -p "$folder"
    nbdfuse "$folder" "$@" >"$TEST_TMP/nbdfuse.log" 2>&1 &
    others+=("$!")
    until_true "$folder/nbd" test -f "$folder/nbd"
    mounts+=("$folder")
}

# start_unit OPTIONS...: the disks, and how they are served.
start_unit() {
    : >"$TEST_TMP/unit.log"
    "$causeway" unit block --attach storage --executor "$executor" "$@" 2>"$TEST_TMP/unit.log" &
    unit=$!
    until_true "a block unit" unit_is_up
}

uri_of() { printf 'nbd+unix:///?socket=%s' "$TEST_TMP/$1.sock"; }
answers() { nbdinfo --size "$(uri_of "$1")" >/dev/null 2>&1; }
# start_nbdkit NAME DISK PARAMETERS...: as the partition NAME; sets $uri.
start_nbdkit() {
    local name=$1 disk=$2
    shift 2
    rm -f "$TEST_TMP/$name.sock"
    nbdkit -f -U "$TEST_TMP/$name.sock" "$plugin" "storage/$disk" attach="$name" executor="$executor" "$@" \
        2>>"$TEST_TMP/$name.log" &
    nbdkit_pid[$name]=$!
    until_true "nbdkit for $name" answers "$name"
    uri=$(uri_of "$name")
}
stop_nbdkit() { # NAME
    end "${nbdkit_pid[$1]}"
    unset "nbdkit_pid[$1]"
}

checksum() { sha256sum <"$1" | cut -d ' ' -f 1; }
expect_same() { # FILE FILE WHAT
    [ "$(checksum "$1")" = "$(checksum "$2")" ] || fail "$3: the bytes differ"
}
