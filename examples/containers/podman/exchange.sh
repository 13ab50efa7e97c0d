#!/bin/bash
# Three containers on one host, without an image: an adapter on the host, two partitions that exchange a file, and a
# stranger that is refused.
#
#   examples/containers/podman/exchange.sh [--with podman|bwrap|auto]
#
# Every container sees /usr of the host, the program `causeway`, and ONE directory of the fabric: that of its entrance,
# mounted read-only as /run/causeway, where the library looks for the socket anyhow. It has no network, no capabilities,
# and can write nowhere. The adapter runs as whoever starts this, with nothing but its runtime directory.
#
# podman needs root here (a rootless one serves as well, but for a root tree it wants a user namespace of its own); where
# it cannot be had, bubblewrap makes the same mounts. Both leave nothing behind.
set -euo pipefail

with=auto
case ${1:-} in
    --with) with=${2:?"--with podman, bwrap or auto"} ;;
    "") ;;
    *)
        echo "usage: $0 [--with podman|bwrap|auto]" >&2
        exit 2
        ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${CAUSEWAY_BIN:-$here/../../../build/bin}
[ -x "$bin/causewayd" ] || bin=$(dirname "$(command -v causewayd || echo "$bin/causewayd")")
[ -x "$bin/causewayd" ] || {
    echo "there is no causewayd in $bin: run make, or set CAUSEWAY_BIN" >&2
    exit 1
}
bin=$(cd "$bin" && pwd)

work=$(mktemp -d "${TMPDIR:-/tmp}/causeway-containers.XXXXXX")
state=$(mktemp -d /tmp/causeway.XXXXXX)  # root trees, and what podman keeps: it takes no longer paths
daemon=
at_exit() {
    status=$?
    # shellcheck disable=SC2046 # a list of process IDs
    kill $(jobs -p) 2>/dev/null || true
    # A container does not end with who started it.
    [ "$with" != podman ] ||
        "${around[@]}" "${podman_command[@]}" rm --all --force --time 0 >/dev/null 2>&1 || true
    wait 2>/dev/null || true
    rm -rf "$work" "$state"
    exit "$status"
}
trap at_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# --- a root tree out of what the host has: empty directories, into which /usr is mounted
for name in orders billing stranger; do
    root=$state/root-$name
    mkdir -p "$root"/{usr,proc,dev,sys,tmp,etc,run/causeway,opt/causeway}
    touch "$root/opt/causeway/causeway"  # a program is mounted on it
    for link in bin lib lib64 sbin; do
        if [ -L "/$link" ]; then ln -s "usr/$link" "$root/$link"; fi
    done
done

# --- podman, with all it writes down below $state
podman_command=(podman --root "$state/storage" --runroot "$state/runroot" --tmpdir "$state/tmp" --storage-driver vfs
    --events-backend none --cgroup-manager cgroupfs)
# The OCI runtime crun takes a host with both versions of control groups for broken. In a mount namespace of its own
# it sees version 2 alone; nothing of that is seen outside.
around=()
if [ -d /sys/fs/cgroup/unified ]; then
    around=(unshare --mount bash -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' sh)
fi

# in_podman NAME ENTRANCE_DIRECTORY UID_ON_HOST COMMAND...: UID_ON_HOST is who root of the container is outside.
in_podman() {
    local name=$1 entrance=$2 outside=$3
    shift 3
    "${around[@]}" "${podman_command[@]}" run --rm --interactive --name "causeway-$name" \
        --network none --cgroups disabled --log-driver none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        --uidmap "0:$outside:65536" --gidmap "0:$outside:65536" --cap-drop ALL --security-opt no-new-privileges \
        --read-only --read-only-tmpfs=false --volume /usr:/usr:ro --volume "$bin/causeway:/opt/causeway/causeway:ro" \
        --volume "$entrance:/run/causeway:ro" --rootfs "$state/root-$name" "$@"
}

# in_bwrap: the same mounts and the same lack of everything else.
in_bwrap() {
    local name=$1 entrance=$2
    shift 3
    bwrap --unshare-all --uid 0 --gid 0 --cap-drop ALL --die-with-parent --new-session --clearenv \
        --ro-bind "$state/root-$name" / --ro-bind /usr /usr --proc /proc --dev /dev \
        --ro-bind "$bin/causeway" /opt/causeway/causeway --ro-bind "$entrance" /run/causeway "$@"
}

podman_works() {
    command -v podman >/dev/null || { why="podman is not installed" && return 1; }
    [ "$(id -u)" -eq 0 ] || { why="podman runs a root tree of the host for root only" && return 1; }
    chown 100000:100000 "$state/root-orders" -R
    # What is left to find out: whether this machine lets it.
    if why=$(in_podman orders /usr/lib 100000 /usr/bin/true 2>&1); then return; fi
    why="podman says: $(tail -1 <<<"$why")"
    return 1
}

chmod 755 "$state"  # the users of the containers must get to their root trees
if [ "$with" = auto ] || [ "$with" = podman ]; then
    if podman_works; then
        with=podman
        chown -R 200000:200000 "$state/root-billing"
        chown -R 300000:300000 "$state/root-stranger"
    elif [ "$with" = podman ]; then
        echo "$why" >&2
        exit 1
    else
        echo "not with podman: $why"
        with=bwrap
    fi
fi
if [ "$with" = bwrap ] && ! why=$(in_bwrap orders /usr/lib - /usr/bin/true 2>&1); then
    echo "nor with bubblewrap: $why"
    exit 77
fi
echo "containers by: $with"
contain() { "in_$with" "$@"; }

# --- the adapter: its runtime directory is closed to everybody else, the entrances in it are what is mounted
run=$work/run
mkfifo "$work/ready"
"$bin/causewayd" --runtime-dir "$run" --entrance orders --entrance billing --log-level warning --ready-fd 3 \
    3>"$work/ready" &
daemon=$!
read -r <"$work/ready" || {
    echo "causewayd did not start" >&2
    exit 1
}

# --- a file goes from orders to billing
head -c 16777259 /dev/urandom >"$work/sent"
contain billing "$run/billing" 200000 /opt/causeway/causeway pipe --listen files --receive-only \
    </dev/null >"$work/received" &
receiving=$!
contain orders "$run/orders" 100000 /opt/causeway/causeway pipe --connect billing/files --retry 30 \
    <"$work/sent" >/dev/null
wait "$receiving"
[ "$(sha256sum <"$work/sent")" = "$(sha256sum <"$work/received")" ] || {
    echo "what billing received is not what orders sent" >&2
    exit 1
}
echo "orders sent $(stat -c %s "$work/sent") bytes to billing: $(sha256sum <"$work/received" | cut -c1-16)... at both ends"

# --- who is refused. refused WHAT PART COMMAND...: COMMAND must fail, and say PART.
refused() {
    local what=$1 part=$2 said
    shift 2
    if said=$("$@" </dev/null 2>&1); then
        echo "$what was let in: $said" >&2
        exit 1
    fi
    [[ $said == *"$part"* ]] || {
        echo "$what was refused, but not as expected ('$part'): $said" >&2
        exit 1
    }
    echo "$what: $(tail -1 <<<"$said")"
}
mkdir "$work/nothing"
refused "a stranger without an entrance" "no adapter found" \
    contain stranger "$work/nothing" 300000 /opt/causeway/causeway pipe --attach stranger --connect billing/files
if [ "$with" = podman ]; then
    # Also where somebody mounts the whole runtime directory by mistake: another user is not the daemon's.
    chmod 755 "$run"
    refused "a stranger at the open entrance" "rule 'open entrance'" \
        contain stranger "$run" 300000 /opt/causeway/causeway pipe --attach stranger --connect billing/files
fi
refused "orders as billing" "rule 'named entrance'" \
    contain orders "$run/orders" 100000 /opt/causeway/causeway pipe --attach billing --listen files

kill -0 "$daemon"
echo "done"
