#!/usr/bin/env python3
"""Causeway's network next to a plain veth pair, VDE2 and user-mode NAT, in one run.

    bench_network.py [SECONDS [ROUNDS]]     2 seconds a sample, 3 rounds; see --help

All contestants are set up first, each in network namespaces of its own; then they take turns, one
sample of each test each, and each round begins with another. Reported are medians over the rounds,
and ratios: the median of each round's own. JSON goes to --output, tables to standard output,
progress to standard error. Needs root; docs/bench.md says how to read it.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True  # no __pycache__ in the tree

import contestants  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
from world import Trouble, clear_stale  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench_network.py", description="Measures Causeway's network next to its peers.")
    parser.add_argument("seconds", nargs="?", type=float, default=2.0, metavar="SECONDS",
                        help="of a sample (2)")
    parser.add_argument("rounds", nargs="?", type=int, default=3, metavar="ROUNDS", help="(3)")
    parser.add_argument("--only", metavar="NAMES", help="these contestants, with commas between: " +
                        ", ".join(c.name for c in contestants.ALL))
    parser.add_argument("--tests", metavar="NAMES", help="these tests: " +
                        ", ".join([t.name for t in measure.TESTS] + ["idle"]))
    parser.add_argument("--idle-seconds", type=float, default=10.0, metavar="SECONDS",
                        help="without traffic (10)")
    parser.add_argument("--bin", default=os.path.join(SOURCE, "build", "bin"), metavar="FOLDER",
                        help="of causeway and causewayd (build/bin)")
    parser.add_argument("--output", default=os.path.join(SOURCE, "build", "bench", "network.json"),
                        metavar="FILE", help="(build/bench/network.json)")
    options = parser.parse_args()
    if options.seconds < 1 or options.rounds < 1 or options.idle_seconds <= 0:
        parser.error("SECONDS and ROUNDS are at least 1, --idle-seconds more than 0")
    options.chosen = pick(parser, options.only, {c.name: c for c in contestants.ALL})
    every = {t.name: t for t in measure.TESTS}
    tests = pick(parser, options.tests, {**every, "idle": None})
    options.idle = None in tests
    options.chosen_tests = [t for t in tests if t is not None]
    return options


def pick(parser, names, every):
    if not names:
        return list(every.values())
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in every:
            parser.error(f"there is no '{name}': take {', '.join(every)}")
    return [value for name, value in every.items() if name in wanted]


def progress(text):
    print(text, file=sys.stderr, flush=True)


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load_average": os.getloadavg()[0]}


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", SOURCE, *words], capture_output=True, text=True,
                              check=False).stdout.strip()
    if not shutil.which("git"):
        return ""
    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")


def check_machine(options):
    """What nobody can be measured without."""
    if os.geteuid() != 0:
        raise Trouble("not root: network namespaces and interfaces take CAP_SYS_ADMIN and CAP_NET_ADMIN; "
                      "run it with sudo, or as root in a virtual machine")
    if shutil.which("ip") is None:
        raise Trouble("ip is not installed (package iproute2)")
    for test in list(options.chosen_tests):
        try:
            contestants.needs(*test.programs)
        except Trouble as trouble:
            progress(f"without {test.name}: {trouble}")
            options.chosen_tests.remove(test)
            options.without[test.name] = str(trouble)


class Run:
    def __init__(self, options):
        self.options = options
        self.open = []
        self.samples = []
        self.failed = []
        self.left_out = {}
        self.idle = {}

    def set_up(self, kind, interfaces):
        contestant = kind(self.options)
        self.open.append(contestant)
        try:
            contestant.open(interfaces)
        except (Trouble, OSError) as trouble:
            self.put_away(contestant)
            raise Trouble(str(trouble)) from trouble
        return contestant

    def put_away(self, contestant):
        contestant.close()
        self.open.remove(contestant)

    def close(self):
        while self.open:
            self.put_away(self.open[-1])

    def take_turns(self):
        players = []
        for kind in self.options.chosen:
            try:
                players.append(self.set_up(kind, kind.interfaces))
            except Trouble as trouble:
                self.left_out[kind.name] = str(trouble)
                progress(f"left out: {kind.name}: {trouble}")
        for number in range(self.options.rounds):
            for test in self.options.chosen_tests:
                first = number % max(len(players), 1)
                for player in players[first:] + players[:first]:
                    self.sample(number, test, player)
        self.close()

    def sample(self, number, test, player):
        if player.big_mtu is None and test.name == "udp_big":
            if number == 0:
                self.failed.append({"contestant": player.name, "test": test.name, "round": 0,
                                    "error": player.small_why})
            return
        head = f"round {number + 1}/{self.options.rounds}  {test.name:<15} {player.name:<17}"
        try:
            figures = test.run(player, self.options.seconds)
        except (Trouble, OSError, ValueError, KeyError) as trouble:
            said = str(trouble) if isinstance(trouble, (Trouble, OSError)) else repr(trouble)
            self.failed.append({"contestant": player.name, "test": test.name, "round": number,
                                "error": said})
            progress(f"{head} {said}")
            return
        self.samples.append({"contestant": player.name, "test": test.name, "round": number,
                             "load_average": os.getloadavg()[0], **figures})
        unit = "us" if test.figure == "p50_us" else "Gbit/s"
        progress(f"{head} {figures[test.figure]:8.2f} {unit}")

    def measure_idle(self):
        for kind in self.options.chosen:
            if kind.name in self.left_out or not kind.idle_about:
                continue
            try:
                contestant = self.set_up(kind, 3)
                self.idle[kind.name] = measure.idle(contestant, self.options.idle_seconds)
                self.put_away(contestant)
                progress(f"idle       {kind.name:<33} {self.idle[kind.name]['percent']:8.3f} % of a core")
            except (Trouble, OSError) as trouble:
                self.idle[kind.name] = {"error": str(trouble)}
                progress(f"idle       {kind.name}: {trouble}")

    def result(self, before):
        tests = self.options.chosen_tests
        names = [c.name for c in self.options.chosen if c.name not in self.left_out]
        ratios = report.ratios_of(self.samples, tests, names)
        return {
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "commit": commit(), "machine": before, "load_average_after": os.getloadavg()[0],
            "seconds": self.options.seconds, "rounds": self.options.rounds,
            "contestants": {c.name: {"about": c.about, "mtu": c.mtu, "idle": c.idle_about}
                            for c in self.options.chosen if c.name in names},
            "tests": {t.name: {"about": t.about, "figure": t.figure, "better": t.better}
                      for t in tests},
            "left_out": {**self.left_out, **self.options.without},
            "cells": report.summarize(self.samples, tests, names), "ratios": ratios,
            "idle": self.idle, "goals": report.goals_of(ratios, self.idle),
            "failed": self.failed, "samples": self.samples,
        }


def stop(number, _frame):
    raise SystemExit(128 + number)


def main():
    options = arguments()
    options.without = {}
    try:
        check_machine(options)
        clear_stale()
    except Trouble as trouble:
        print(f"bench_network: {trouble}", file=sys.stderr)
        return 1
    before = machine()
    if before["load_average"] >= 1:
        progress(f"This machine is busy (load average {before['load_average']:.1f}): the figures will say "
                 "more about that than about anything else.")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    run = Run(options)
    try:
        if options.chosen_tests:
            run.take_turns()
        if options.idle:
            run.measure_idle()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # what is there is put away in any case
        run.close()
    result = run.result(before)
    folder = os.path.dirname(os.path.abspath(options.output))
    os.makedirs(folder, exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    report.print_tables(result)
    print(f"all of it: {options.output}")
    return 0 if run.samples or any("percent" in i for i in run.idle.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
