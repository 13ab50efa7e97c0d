#!/bin/bash
# Ordinary programs between partitions that have a network interface each: ping with every size that matters, iperf3,
# nginx and curl, a multicast stream.
# timeout: 600
# shellcheck disable=SC2119 # what the functions take is not what the script does
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib_network.sh"
need iperf3 ping nginx curl ss

# ping_sizes LEAST_THAT_DOES_NOT_FIT SIZE...: from a to b; ping compares every byte that comes back.
ping_sizes() {
    local size said most=$1
    shift
    for size in "$@"; do
        said=$(exec_within a ping -n -M "do" -c 1 -W 20 -s "$size" 10.9.0.2) ||
            fail "ping with $size bytes, MTU $mtu: $said"
        expect_contains "$said" "1 received, 0% packet loss"
        [[ $said != *"wrong data"* ]] || fail "ping with $size bytes: $said"
    done
    if said=$(exec_within a ping -n -M "do" -c 1 -W 1 -s "$most" 10.9.0.2 2>&1); then
        fail "a ping of $most bytes went in one packet over MTU $mtu: $said"
    fi
    expect_contains "$said" "mtu=$mtu"
    # In fragments it arrives.
    exec_within a ping -n -M dont -c 1 -W 20 -s "$most" 10.9.0.2 >/dev/null || fail "fragments do not arrive"
}

both_ways() { # tcp, udp, each way
    local way
    for way in "" -R; do
        iperf a b 10.9.0.2 -t 1 $way
        echo "$executor, MTU $mtu, TCP $way: $((bytes / 125000)) Mbit/s"
        iperf a b 10.9.0.2 -t 1 -u -b 200M -l 1400 $way
        echo "$executor, MTU $mtu, UDP $way: $((bytes / 125000)) Mbit/s"
    done
}

start_adapter

# --- MTU 65521, both executors
mtu=65521
for executor in direct adapter; do
    start_unit
    start_guest a 10.9.0.1/24
    start_guest b 10.9.0.2/24
    until_true "a first answer" reaches a 10.9.0.2
    said=$("$causeway" ss --json)
    expect_contains "$said" "\"executor\": \"$executor\""
    ping_sizes 65494 0 1 55 1472 1473 1961 1962 1963 1989 1990 1991 4096 9000 16383 16384 32768 65000 65492 65493
    both_ways
    end "${guest_pid[a]}" "${guest_pid[b]}"
    unset 'guest_pid[a]' 'guest_pid[b]'
    stop_unit
done

# --- MTU 1500
mtu=1500
start_unit
start_guest a 10.9.0.1/24
start_guest b 10.9.0.2/24
start_guest c 10.9.0.3/24
until_true "a first answer" reaches a 10.9.0.2
ping_sizes 1473 0 1 2 3 7 8 15 16 17 18 19 55 56 57 63 64 65 127 128 255 256 511 512 1000 1023 1024 1025 1400 1470 1471 1472
both_ways

# --- nginx at b, curl at a and c
mkdir "$TEST_TMP/www" "$TEST_TMP/nginx"
chmod 755 "$TEST_TMP"
head -c 104857600 /dev/urandom >"$TEST_TMP/www/large"
for i in $(seq 100); do head -c "$((i * 1777))" /dev/urandom >"$TEST_TMP/www/file$i"; done
(cd "$TEST_TMP/www" && sha256sum -- large >"$TEST_TMP/large.sum" && sha256sum -- file* >"$TEST_TMP/files.sum")
cat >"$TEST_TMP/nginx.conf" <<CONF
daemon off; master_process off; user root; pid $TEST_TMP/nginx/pid; error_log $TEST_TMP/nginx.log;
events { worker_connections 512; }
http {
    log_format one '\$connection \$status';
    access_log $TEST_TMP/nginx/access one;
    client_body_temp_path $TEST_TMP/nginx/body; proxy_temp_path $TEST_TMP/nginx/proxy;
    fastcgi_temp_path $TEST_TMP/nginx/fastcgi; uwsgi_temp_path $TEST_TMP/nginx/uwsgi; scgi_temp_path $TEST_TMP/nginx/scgi;
    keepalive_timeout 0;
    server { listen 10.9.0.2:80 backlog=512; root $TEST_TMP/www; }
}
CONF
background b nginx -p "$TEST_TMP/nginx" -c "$TEST_TMP/nginx.conf" -e "$TEST_TMP/nginx.log"
server=$started
until_true "nginx" listens b 80
exec_within a curl -sS --no-progress-meter --fail -o "$TEST_TMP/large" http://10.9.0.2/large || fail "curl: status $?"
(cd "$TEST_TMP" && sha256sum --quiet -c large.sum) || fail "the 100 MB file is another one"
rm "$TEST_TMP/large" "$TEST_TMP/www/large"
: >"$TEST_TMP/nginx/access"
mkdir "$TEST_TMP/got"
for i in $(seq 100); do printf 'url = "http://10.9.0.2/file%s"\noutput = "%s"\n' "$i" "$TEST_TMP/got/file$i"; done \
    >"$TEST_TMP/curl.conf"
exec_within c curl -sS --no-progress-meter --fail --parallel --parallel-immediate --parallel-max 100 -K "$TEST_TMP/curl.conf" ||
    fail "100 files at once: curl's status $?"
(cd "$TEST_TMP/got" && sha256sum --quiet -c ../files.sum) || fail "files are others"
connections=$(cut -d ' ' -f 1 "$TEST_TMP/nginx/access" | sort -u | wc -l)
[ "$connections" = 100 ] || fail "$connections connections instead of 100"
end "$server"
echo "nginx to curl: 100 MB, and 100 connections at once, every sum right"

# --- a multicast stream from a to b and c: each has to have every number of it, in order where it was not lost
cat >"$TEST_TMP/stream.py" <<'PYTHON'
import socket, struct, sys, time
group, port, count = "239.1.2.3", 5007, 300
def payload(number): return struct.pack("!I", number) + bytes((number + i) % 251 for i in range(1000 + number))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "send":
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[2]))
    while True:  # until it is ended: receivers end when they have all of it
        for number in range(count):
            s.sendto(payload(number), (group, port))
            time.sleep(0.0005)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(sys.argv[2]))
s.bind((group, port))
s.settimeout(30)
missing = set(range(count))
while missing:
    data, sender = s.recvfrom(65536)
    number = struct.unpack("!I", data[:4])[0]
    assert sender[0] == "10.9.0.1" and data == payload(number), (sender, number)
    missing.discard(number)
PYTHON
receivers=()
for each in "b 10.9.0.2" "c 10.9.0.3"; do
    # shellcheck disable=SC2086 # a name and an address
    set -- $each
    background "$1" python3 "$TEST_TMP/stream.py" receive "$2"
    receivers+=("$started")
done
background a python3 "$TEST_TMP/stream.py" send 10.9.0.1
sender=$started
for each in "${receivers[@]}"; do wait "$each" || fail "a receiver of the multicast stream: status $?"; done
end "$sender"

stop_unit
[ "$(port_figure a 'p["multicast_in"] >= 300')" = True ] || fail "the switch saw no stream: $(<"$TEST_TMP/unit.json")"
# A question for routers may have come before there was anybody else.
[ "$(port_figure a 'set(p["dropped"]) <= {"unreachable"}')" = True ] || fail "frames of a were dropped: $(<"$TEST_TMP/unit.json")"
echo "ping, iperf3, nginx, curl and a multicast stream do what they do on any network"
