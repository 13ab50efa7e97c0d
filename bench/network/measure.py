"""The measurements: each takes a contestant that is set up, and gives a dictionary of figures.

Throughput is by iperf3, round trips by sockperf; both are started anew for each sample. Around each
stands the account of processor time: of the whole machine, less what it did in the moment before,
and of the processes one by one. Trouble where a sample cannot be had.
"""

import itertools
import json
import os
import re
import time

from world import NETNS_FOLDER, Trouble, wait_until

BASELINE_SECONDS = 0.5
MOST_OTHER_LOAD = 0.25  # cores; beyond that the machine's processor time tells of others
BIG_DATAGRAM = 60000
TICK = os.sysconf("SC_CLK_TCK")

_ports = itertools.cycle(range(5201, 25201))  # a new one each time: the last may linger in TIME_WAIT


def machine_busy_seconds():
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _wait, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICK


def process_seconds(pid):
    """User and system time of a process with all its threads, also those that have ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def process_fine_seconds(pid):
    """The same by the nanosecond, of the threads that are there; by the tick without CONFIG_SCHED_INFO."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    except (FileNotFoundError, IndexError):
        return process_seconds(pid)
    return total / 1e9


def process_switches(pid):
    """How often its threads have gone to sleep."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii", errors="replace") as file:
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", file.read(), re.M).group(1))
    return total


class Account:
    """Processor time from begin() to end(), in seconds of one core."""

    def __init__(self, contestant):
        self._workers = contestant.workers

    def begin(self):
        busy, start = machine_busy_seconds(), time.monotonic()
        time.sleep(BASELINE_SECONDS)
        self._start = time.monotonic()
        self._busy = machine_busy_seconds()
        self._idle_rate = (self._busy - busy) / (self._start - start)
        self._times = {w.label: process_seconds(w.pid) for w in self._workers}
        self._switches = {w.label: process_switches(w.pid) for w in self._workers}

    def end(self, clients):
        """`clients`: the processes that made the traffic and have ended."""
        seconds = time.monotonic() - self._start
        busy = machine_busy_seconds() - self._busy
        workers = {w.label: round(process_seconds(w.pid) - self._times[w.label], 3)
                   for w in self._workers}
        quiet = self._idle_rate <= MOST_OTHER_LOAD
        return {
            "wall_s": round(seconds, 3),
            "load_before": round(self._idle_rate, 3),
            "machine_s": round(max(busy - self._idle_rate * seconds, 0.0), 3) if quiet else None,
            "workers_s": workers,
            "ends_s": {c.label: round(c.cpu_seconds, 3) for c in clients},
            "sleeps_per_s": {w.label: round((process_switches(w.pid) - self._switches[w.label]) /
                                            seconds) for w in self._workers},
        }


def listens(server, netns, protocol, port):
    """Does this process' namespace, which is to be `netns`, have a socket that waits at this port?"""
    try:
        # Between fork and setns it is still in the namespace we came from.
        if os.stat(f"/proc/{server.pid}/ns/net").st_ino != os.stat(f"{NETNS_FOLDER}/{netns}").st_ino:
            return False
    except FileNotFoundError:
        return False
    for version in (protocol, protocol + "6"):
        try:
            with open(f"/proc/{server.pid}/net/{version}", encoding="ascii") as file:
                lines = [line.split() for line in file.readlines()[1:]]
        except FileNotFoundError:
            continue
        wanted = "0A" if protocol == "tcp" else "07"
        if any(int(f[1].rsplit(":", 1)[1], 16) == port and f[3] == wanted for f in lines):
            return True
    return False


def run_pair(contestant, serve, ask, protocol, port, seconds, server_ends):
    """Server and client, and the account around the client's run; (client's output, account)."""
    contestant.check()
    world = contestant.world
    account = Account(contestant)
    account.begin()
    server = world.start("server", serve, contestant.server)
    client = None
    try:
        wait_until(lambda: listens(server, contestant.server, protocol, port), "the server's socket",
                   alive=[server])
        client = world.start("client", ask, contestant.client)
        client.wait(seconds + 20)
        if server_ends:
            server.wait(10)
        contestant.check()
        server.end()
        return client.text(), account.end([client, server])
    finally:
        for process in (client, server):
            if process is not None:
                world.end(process)


def iperf(contestant, seconds, *words):
    port = next(_ports)
    serve = ["iperf3", "--server", "--one-off", "--port", str(port), "--json"]
    ask = ["iperf3", "--client", contestant.target, "--port", str(port), "--time", f"{seconds:g}",
           "--connect-timeout", "5000", "--json", *words]
    text, account = run_pair(contestant, serve, ask, "tcp", port, seconds, server_ends=True)
    said = json.loads(text)
    if "error" in said:
        raise Trouble(f"iperf3: {said['error']}")
    return said["end"], account


def per_gbyte(account, received):
    """Seconds of processor time for 10^9 bytes that arrived."""
    gbytes = received / 1e9
    if gbytes <= 0:
        raise Trouble("nothing arrived")
    workers = sum(account["workers_s"].values())
    ends = sum(account["ends_s"].values())
    machine = account["machine_s"]
    return {"cpu_s_per_gb": None if machine is None else machine / gbytes,
            "own_cpu_s_per_gb": (workers + ends) / gbytes,
            "workers_cpu_s_per_gb": workers / gbytes}


def tcp(contestant, seconds, *words):
    end, account = iperf(contestant, seconds, *words)
    got = end["sum_received"]
    return {"gbit_per_s": got["bits_per_second"] / 1e9,
            "retransmits": end["sum_sent"].get("retransmits"),
            **per_gbyte(account, got["bytes"]), "account": account}


def udp(contestant, seconds, datagram):
    end, account = iperf(contestant, seconds, "--udp", "--bitrate", "0", "--length", str(datagram))
    total = end["sum"]
    # What the client counts as lost is by the server's report of the numbers that came.
    came = max(total["packets"] - total["lost_packets"], 0)
    return {"gbit_per_s": came * datagram * 8 / total["seconds"] / 1e9,
            "sent_gbit_per_s": total["packets"] * datagram * 8 / total["seconds"] / 1e9,
            "datagrams_per_s": came / total["seconds"],
            "loss": total["lost_packets"] / max(total["packets"], 1),
            **per_gbyte(account, came * datagram), "account": account}


def udp_big(contestant, seconds):
    if contestant.big_mtu == contestant.mtu:
        return udp(contestant, seconds, BIG_DATAGRAM)
    contestant.set_mtu(contestant.big_mtu)
    try:
        return udp(contestant, seconds, BIG_DATAGRAM)
    finally:
        contestant.set_mtu(contestant.mtu)


def round_trip(contestant, seconds, protocol):
    port = next(_ports)
    words = ["-p", str(port)] + (["--tcp"] if protocol == "tcp" else [])
    serve = ["sockperf", "server", "-i", "0.0.0.0", *words]
    ask = ["sockperf", "ping-pong", "-i", contestant.target, *words, "--full-rtt", "-m", "64",
           "-t", str(max(round(seconds), 1))]
    text, account = run_pair(contestant, serve, ask, protocol, port, seconds, server_ends=False)
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)

    def percentile(which):
        found = re.search(rf"percentile {which}\s*=\s*([0-9.]+)", text)
        if not found:
            raise Trouble(f"sockperf told no percentile: {text.strip()[-300:]}")
        return float(found.group(1))
    return {"p50_us": percentile("50.000"), "p99_us": percentile("99.000"), "account": account}


def idle(contestant, seconds):
    """No traffic: what its processes take, in percent of one core."""
    time.sleep(min(5.0, seconds))  # what a new interface says of itself
    contestant.check()
    start = time.monotonic()
    before = {w.label: (process_fine_seconds(w.pid), process_switches(w.pid))
              for w in contestant.workers}
    time.sleep(seconds)
    contestant.check()
    took = time.monotonic() - start
    each = {}
    for w in contestant.workers:
        used = process_fine_seconds(w.pid) - before[w.label][0]
        each[w.label] = {"percent": round(100 * used / took, 4),
                         "sleeps_per_s": round((process_switches(w.pid) - before[w.label][1]) / took, 2)}
    return {"percent": sum(e["percent"] for e in each.values()), "seconds": round(took, 2),
            "processes": each}


class Test:
    def __init__(self, name, about, figure, better, run, programs):
        self.name = name
        self.about = about
        self.figure = figure  # the one that ratios are made of
        self.better = better
        self.run = run
        self.programs = programs


IPERF = [("iperf3", "iperf3")]
SOCKPERF = [("sockperf", "sockperf")]
TESTS = [
    Test("tcp", "TCP, one stream, client to server, Gbit/s", "gbit_per_s", "more",
         lambda c, s: tcp(c, s), IPERF),
    Test("tcp_back", "TCP, one stream, server to client, Gbit/s", "gbit_per_s", "more",
         lambda c, s: tcp(c, s, "--reverse"), IPERF),
    Test("tcp_4", "TCP, four streams, client to server, Gbit/s", "gbit_per_s", "more",
         lambda c, s: tcp(c, s, "--parallel", "4"), IPERF),
    Test("udp_1400", "UDP, datagrams of 1400 bytes as fast as they are taken, Gbit/s that arrive",
         "gbit_per_s", "more", lambda c, s: udp(c, s, 1400), IPERF),
    Test("udp_big", f"UDP, datagrams of {BIG_DATAGRAM} bytes in one frame each, Gbit/s that arrive",
         "gbit_per_s", "more", udp_big, IPERF),
    Test("round_trip_tcp", "TCP, 64 bytes there and back, p50 in us", "p50_us", "less",
         lambda c, s: round_trip(c, s, "tcp"), SOCKPERF),
    Test("round_trip_udp", "UDP, 64 bytes there and back, p50 in us", "p50_us", "less",
         lambda c, s: round_trip(c, s, "udp"), SOCKPERF),
]
