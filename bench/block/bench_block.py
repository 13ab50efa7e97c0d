#!/usr/bin/env python3
"""Causeway's disks next to fio on the same file, and to nbdkit's file plugin, in one run.

    bench_block.py [SECONDS [ROUNDS]]     1 second a sample, 5 rounds; see --help

Each image is filled, and read once, so that whoever does not go past the page cache finds it there.
Contestants take turns, one sample of each pattern each, and each round begins with another. Reported
are medians over the rounds, and ratios: the median of each round's own. Nobody looks at the data that
was read (fio does not, so `causeway perf block` is not told to). JSON goes to --output, tables to
standard output, progress to standard error. docs/bench.md says how to read it.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))

PATTERNS = {
    "4k-randread": {"rw": "randread", "size": "4K", "depth": 32, "figure": "iops", "unit": "k/s", "scale": 1e3},
    "1m-read": {"rw": "read", "size": "1M", "depth": 8, "figure": "bytes_per_s", "unit": "GB/s", "scale": 1e9},
    "4k-randwrite": {"rw": "randwrite", "size": "4K", "depth": 32, "figure": "iops", "unit": "k/s", "scale": 1e3},
}
# (first, second, pattern, at least): of the issue that this answers.
GOALS = [
    ("causeway direct", "nbdkit file", "4k-randread", 4.0),
    ("causeway direct", "fio io_uring", "4k-randread", 0.75),
    ("causeway direct", "nbdkit file", "1m-read", 2.0),
    ("causeway direct", "fio io_uring", "1m-read", 0.85),
    ("causeway adapter", "nbdkit file", "4k-randread", 2.0),
    ("causeway adapter", "nbdkit file", "1m-read", 2.0),
    ("nbdkit causeway", "nbdkit file", "4k-randread", 0.8),
    ("nbdkit causeway", "nbdkit file", "1m-read", 0.8),
]


class Trouble(Exception):
    pass


def progress(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    """The programs that serve, and the folder that all is in."""

    def __init__(self, options):
        self.options = options
        self.children = []
        self.folder = tempfile.mkdtemp(prefix="causeway-bench-block-")
        self.memory = tempfile.mkdtemp(prefix="causeway-bench-block-", dir="/dev/shm")
        self.socket = os.path.join(self.folder, "run", "fabric.sock")
        self.environment = dict(os.environ, CAUSEWAY_SOCKET=self.socket)

    def program(self, name):
        return os.path.join(self.options.bin, name)

    def start(self, words, ready, what):
        log = os.path.join(self.folder, f"log{len(self.children)}")
        with open(log, "w", encoding="utf-8") as file:
            child = subprocess.Popen(words, stdout=file, stderr=file, env=self.environment)
        self.children.append(child)
        until = time.monotonic() + 20
        while not os.path.exists(ready) and not self.says(log, ready):
            if child.poll() is not None or time.monotonic() > until:
                with open(log, encoding="utf-8", errors="replace") as file:
                    raise Trouble(f"{what} does not start: {file.read().strip()}")
            time.sleep(0.02)
        return child

    @staticmethod
    def says(log, text):
        with open(log, encoding="utf-8", errors="replace") as file:
            return text in file.read()

    def stop(self, child):
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self.children.remove(child)

    def close(self):
        for child in reversed(list(self.children)):
            self.stop(child)
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)

    def run(self, words):
        done = subprocess.run(words, capture_output=True, text=True, env=self.environment, timeout=300,
                              check=False)
        if done.returncode != 0:
            raise Trouble(f"{words[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout


class Fio:
    def __init__(self, name, bench, image, options):
        self.name, self.bench, self.image, self.options = name, bench, image, options

    def sample(self, pattern, seconds):
        p = PATTERNS[pattern]
        text = self.bench.run([
            "fio", "--name=x", *self.options, f"--rw={p['rw']}", f"--bs={p['size']}",
            f"--iodepth={p['depth']}", "--time_based", f"--runtime={seconds}", "--invalidate=0",
            f"--size={self.image.bytes}", "--output-format=json"])
        job = json.loads(text[text.index("{"):])["jobs"][0]  # its NBD engine talks before that
        part = job["write" if "write" in p["rw"] else "read"]
        return {"iops": part["iops"], "bytes_per_s": part["bw_bytes"],
                "p50_us": part["clat_ns"]["percentile"]["50.000000"] / 1e3,
                "p99_us": part["clat_ns"]["percentile"]["99.000000"] / 1e3}


class Native:
    def __init__(self, name, bench, image, executor):
        self.name, self.bench, self.image, self.executor = name, bench, image, executor

    def sample(self, pattern, seconds, **more):
        p = {**PATTERNS[pattern], **more}
        said = json.loads(self.bench.run([
            self.bench.program("causeway"), "perf", "block", "--unit", f"storage/{self.image.name}",
            "--executor", self.executor, "--pattern", p["rw"], "--size", p["size"], "--depth", str(p["depth"]),
            "--seconds", str(seconds), "--json"]))
        return {"iops": said["iops"], "bytes_per_s": said["bytes_per_s"],
                "p50_us": said["latency_ns"]["p50"] / 1e3, "p99_us": said["latency_ns"]["p99"] / 1e3}


class Image:
    def __init__(self, name, path, megabytes, direct):
        self.name, self.path, self.bytes, self.direct = name, path, megabytes << 20, direct

    def fill(self):
        with open(self.path, "wb") as file:
            for _ in range(self.bytes >> 20):
                file.write(os.urandom(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        with open(self.path, "rb") as file:
            while file.read(1 << 20):
                pass


def contestants_of(bench, image, plugin):
    """The last two serve by nbdkit, as it comes: with 16 threads."""
    made = [Fio("fio io_uring", bench, image,
                ["--ioengine=io_uring", f"--filename={image.path}"] + (["--direct=1"] if image.direct else [])),
            Native("causeway direct", bench, image, "direct"),
            Native("causeway adapter", bench, image, "adapter")]
    served = [("nbdkit file", ["file", image.path] + (["cache=none"] if image.direct else []))]
    if plugin:
        served.append(("nbdkit causeway", [plugin, f"unit=storage/{image.name}", f"attach=nbd-{image.name}",
                                           f"socket={bench.socket}"]))
    for name, words in served:
        socket = os.path.join(bench.folder, f"{name.split()[1]}-{image.name}.sock")
        bench.start(["nbdkit", "-f", "-U", socket, *words], socket, name)
        made.append(Fio(name, bench, image, ["--ioengine=nbd", f"--uri=nbd+unix:///?socket={socket}"]))
    return made


def median_ratio(samples, first, second, pattern, image):
    figure = PATTERNS[pattern]["figure"]
    by_round = {}
    for s in samples:
        if s["pattern"] == pattern and s["image"] == image:
            by_round.setdefault(s["round"], {})[s["contestant"]] = s[figure]
    each = [r[first] / r[second] for r in by_round.values() if first in r and second in r]
    return statistics.median(each) if each else None


def beside(bench, words, mine, seconds):
    """The 4 KiB reader's p99 while another program runs, in us."""
    other = subprocess.Popen(words, env=bench.environment, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        return mine.sample("4k-randread", seconds, depth=1)["p99_us"]
    finally:
        other.kill()
        other.wait()


def fairness(bench, image, seconds, rounds):
    """A 4 KiB reader alone, beside a host that keeps the unit as busy as it can, and beside a program
    that computes and asks the unit for nothing: what comes of sharing cores alone."""
    computing = [sys.executable, "-c", "while True: pass"]
    found = {}
    for executor in ("direct", "adapter"):
        mine = Native("causeway " + executor, bench, image, executor)
        for what, flood in (("4k-randread", {"rw": "randread", "size": "4K", "depth": 64}),
                            ("1m-read", {"rw": "read", "size": "1M", "depth": 16})):
            flooding = [bench.program("causeway"), "perf", "block", "--unit", f"storage/{image.name}", "--attach",
                        "flood", "--executor", executor, "--pattern", flood["rw"], "--size", flood["size"],
                        "--depth", str(flood["depth"]), "--seconds", str(seconds + 1)]
            each = []
            for _ in range(rounds):
                alone = mine.sample("4k-randread", seconds, depth=1)["p99_us"]
                flooded = beside(bench, flooding, mine, seconds)
                computed = beside(bench, computing, mine, seconds)
                each.append({"alone_p99_us": alone, "beside_p99_us": flooded, "computing_p99_us": computed,
                             "ratio": flooded / alone, "ratio_computing": flooded / computed})
            found[f"{executor}, beside {what}"] = {
                "median_ratio": statistics.median(e["ratio"] for e in each),
                "median_ratio_computing": statistics.median(e["ratio_computing"] for e in each), "each": each}
    return found


def print_tables(result):
    for image in result["images"]:
        print(f"\nimage: {image}")
        print(f"{'':20}" + "".join(f"{p + ' ' + PATTERNS[p]['unit']:>20}" for p in result["patterns"]))
        for name in result["contestants"]:
            row = f"{name:20}"
            for pattern in result["patterns"]:
                p = PATTERNS[pattern]
                mine = [s[p["figure"]] for s in result["samples"] if s["contestant"] == name and
                        s["pattern"] == pattern and s["image"] == image]
                row += f"{statistics.median(mine) / p['scale']:20.2f}" if mine else f"{'-':>20}"
            print(row)
    if result["fairness"]:
        print("\n4 KiB, one at a time, p99 in us                  alone   beside a host   beside a program that computes")
        for what, figures in result["fairness"].items():
            row = [statistics.median(e[key] for e in figures["each"])
                   for key in ("alone_p99_us", "beside_p99_us", "computing_p99_us")]
            print(f"{what:45}{row[0]:10.1f}{row[1]:16.1f}{row[2]:33.1f}")
    print()
    for goal in result["goals"]:
        value = "not measured" if goal["value"] is None else f"{goal['value']:.2f}"
        met = {True: "met", False: "MISSED", None: ""}[goal["met"]]
        print(f"{goal['goal']:75} {value:>12}  {met}")


def arguments():
    parser = argparse.ArgumentParser(prog="bench_block.py", description="Measures disks next to their peers.")
    parser.add_argument("seconds", nargs="?", type=float, default=1.0, metavar="SECONDS", help="of a sample (1)")
    parser.add_argument("rounds", nargs="?", type=int, default=5, metavar="ROUNDS", help="(5)")
    parser.add_argument("--megabytes", type=int, default=512, help="of each image (512)")
    parser.add_argument("--images", default="tmpfs,disk,disk-direct", help="(tmpfs,disk,disk-direct)")
    parser.add_argument("--patterns", default=",".join(PATTERNS), help=f"({','.join(PATTERNS)})")
    parser.add_argument("--no-fairness", action="store_true", help="leave that out")
    parser.add_argument("--disk-folder", default=None, metavar="FOLDER", help="where the images on disk go")
    parser.add_argument("--bin", default=os.path.join(SOURCE, "build", "bin"), metavar="FOLDER")
    built = os.path.join(SOURCE, "build", "lib", "nbdkit-causeway-plugin.so")
    parser.add_argument("--plugin", default=built if os.path.exists(built) else None, metavar="FILE",
                        help="nbdkit's plugin for Causeway (the build's, where it has one)")
    parser.add_argument("--output", default=os.path.join(SOURCE, "build", "bench", "block.json"), metavar="FILE")
    return parser.parse_args()


def measure(options, bench):
    for program in ("fio", "nbdkit"):
        if not shutil.which(program):
            raise Trouble(f"{program} is not installed (package {program})")
    folder = options.disk_folder or bench.folder
    every = [Image("tmpfs", os.path.join(bench.memory, "tmpfs.img"), options.megabytes, False),
             Image("disk", os.path.join(folder, "disk.img"), options.megabytes, False),
             Image("disk-direct", os.path.join(folder, "direct.img"), options.megabytes, True)]
    images = [image for image in every if image.name in options.images.split(",")]
    patterns = [p for p in PATTERNS if p in options.patterns.split(",")]
    for image in images:
        progress(f"filling {image.name}")
        image.fill()
    bench.start([bench.program("causewayd"), "--runtime-dir", os.path.join(bench.folder, "run")], bench.socket,
                "the adapter")
    words = []
    for image in images:
        words += ["--disk", f"{image.name}={image.path}" + (",direct-io" if image.direct else "")]
    bench.start([bench.program("causeway"), "unit", "block", "--attach", "storage", *words],
                f"disk storage/{images[-1].name} is up", "the unit")
    samples, names = [], []
    for image in images:
        contestants = contestants_of(bench, image, options.plugin)
        names = [c.name for c in contestants]
        for number in range(options.rounds):
            for pattern in patterns:
                first = number % len(contestants)
                for each in contestants[first:] + contestants[:first]:
                    try:
                        figures = each.sample(pattern, options.seconds)
                    except (Trouble, ValueError, KeyError, subprocess.TimeoutExpired) as trouble:
                        progress(f"{image.name} {pattern} {each.name}: {trouble}")
                        continue
                    samples.append({"image": image.name, "pattern": pattern, "contestant": each.name,
                                    "round": number, **figures})
                    p = PATTERNS[pattern]
                    progress(f"round {number + 1}/{options.rounds}  {image.name:12} {pattern:13} {each.name:18}"
                             f"{figures[p['figure']] / p['scale']:10.2f} {p['unit']}")
    goals = []
    for first, second, pattern, least in GOALS:
        for image in images:
            value = median_ratio(samples, first, second, pattern, image.name)
            goals.append({"goal": f"{first} at least {least:g} x {second}, {pattern}, {image.name}", "value": value,
                          "met": None if value is None else value >= least})
    fair = {}
    if not options.no_fairness:
        progress("fairness")
        fair = fairness(bench, images[0], options.seconds, options.rounds)
        for what, figures in fair.items():
            goals.append({"goal": f"4 KiB p99 at most 2 x alone: {what}", "value": figures["median_ratio"],
                          "met": figures["median_ratio"] <= 2})
    return {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "kernel": platform.release(), "cores": os.cpu_count(), "seconds": options.seconds,
            "rounds": options.rounds, "megabytes": options.megabytes, "images": [i.name for i in images],
            "patterns": patterns, "contestants": names, "goals": goals, "fairness": fair, "samples": samples}


def main():
    options = arguments()
    if os.getloadavg()[0] >= 1:
        progress(f"This machine is busy (load average {os.getloadavg()[0]:.1f}): the figures will say more about "
                 "that than about anything else.")
    bench = Bench(options)
    try:
        result = measure(options, bench)
    except Trouble as trouble:
        print(f"bench_block: {trouble}", file=sys.stderr)
        return 1
    finally:
        bench.close()
    os.makedirs(os.path.dirname(os.path.abspath(options.output)), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    print_tables(result)
    print(f"all of it: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
