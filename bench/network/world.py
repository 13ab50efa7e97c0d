"""Namespaces and processes of a run, and that nothing of either is left behind.

World: owns every process that it starts, every network namespace that it makes and one folder for
sockets and logs; close() ends them all, in the opposite order, and may be called at any time, more
than once. Processes are ended by their id. Namespaces carry the process id of the run in their
names; clear_stale() removes what runs that were killed have left. Nothing here touches the namespace
that the run was started in. One thread.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

PREFIX = "cwbench"
NETNS_FOLDER = "/run/netns"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Trouble(Exception):
    """Why something cannot be measured, in words for whoever started the run."""


def _die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run_quietly(argv, what):
    """Runs a short command to its end; Trouble with what it said when it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise Trouble(f"{what}: {said}")
    return done.stdout


def wait_until(condition, what, seconds=10.0, alive=None):
    """Waits for a condition; Trouble when it does not come, or a process of `alive` has ended."""
    until = time.monotonic() + seconds
    while not condition():
        for process in alive or []:
            process.check()
        if time.monotonic() > until:
            raise Trouble(f"{what} did not come about in {seconds:.0f} seconds")
        time.sleep(0.01)


def clear_stale():
    """Removes namespaces and folders of earlier runs whose process is no longer there."""
    def stale(folder):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            number = name[len(PREFIX):].split("-")[0] if name.startswith(PREFIX) else ""
            if number.isdigit() and not os.path.exists(f"/proc/{number}"):
                yield name
    for name in stale(NETNS_FOLDER):
        subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)
    for name in stale(tempfile.gettempdir()):
        shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)


class Process:
    """A process of ours. After wait() its processor time is in `cpu_seconds`."""

    def __init__(self, label, argv, folder, netns=None):
        self.label = label
        self.argv = list(argv)
        self.cpu_seconds = None
        self._log = os.path.join(folder, f"{label}.{time.monotonic_ns()}.log")
        self.output = self._log + ".out"
        command = ["ip", "netns", "exec", netns, *argv] if netns else argv
        with open(self.output, "wb") as out, open(self._log, "wb") as log:
            # A pipe that stays open for input: vde_switch ends at the end of its input.
            self._popen = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent)
        self.pid = self._popen.pid

    def said(self):
        text = ""
        for path in (self._log, self.output):
            with open(path, encoding="utf-8", errors="replace") as file:
                text += file.read()[-2000:]
        lines = [line for line in text.splitlines() if line and "to syslog" not in line]
        return " / ".join(lines[-3:]) or "it said nothing"

    def text(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _reap(self, options):
        if self._popen.returncode is not None:
            return True
        pid, status, usage = os.wait4(self.pid, options)
        if pid == 0:
            return False
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        return True

    def ended(self):
        return self._reap(os.WNOHANG)

    def check(self):
        if self.ended():
            raise Trouble(f"{self.label} has ended ({self._popen.returncode}): {self.said()}")

    def wait(self, seconds):
        """Waits for its end; Trouble when that does not come, or is a failure."""
        until = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > until:
                self.end()
                raise Trouble(f"{self.label} took more than {seconds:.0f} seconds: {self.said()}")
            time.sleep(0.01)
        if self._popen.returncode != 0:
            raise Trouble(f"{self.label} failed ({self._popen.returncode}): {self.said()}")

    def end(self, how=signal.SIGTERM):
        """Ends it, kindly first, and waits until it has."""
        for number, seconds in ((how, 3.0), (signal.SIGKILL, 10.0)):
            if self.ended():
                break
            os.kill(self.pid, number)
            until = time.monotonic() + seconds
            while not self.ended() and time.monotonic() < until:
                time.sleep(0.005)
        if self._popen.stdin:
            self._popen.stdin.close()
            self._popen.stdin = None


class World:
    _count = 0

    def __init__(self):
        World._count += 1
        self._name = f"{PREFIX}{os.getpid()}-{World._count}"
        self.folder = tempfile.mkdtemp(prefix=f"{self._name}-")
        self.processes = []
        self.namespaces = []

    def namespace(self):
        """A new network namespace with its loopback up; its name."""
        name = f"{self._name}-{len(self.namespaces)}"
        self.namespaces.append(name)  # first: a signal may come in between
        run_quietly(["ip", "netns", "add", name], "make a network namespace")
        self.ip(name, "link", "set", "lo", "up")
        return name

    def ip(self, netns, *words):
        return run_quietly(["ip", "-n", netns, *words], f"ip {' '.join(words)}")

    def has_link(self, netns, interface):
        return os.path.exists(f"{NETNS_FOLDER}/{netns}") and subprocess.run(
            ["ip", "-n", netns, "link", "show", "dev", interface], check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def start(self, label, argv, netns=None):
        process = Process(label, argv, self.folder, netns)
        self.processes.append(process)
        return process

    def end(self, process):
        process.end()
        if process in self.processes:
            self.processes.remove(process)

    def close(self):
        while self.processes:
            self.end(self.processes[-1])
        while self.namespaces:
            subprocess.run(["ip", "netns", "delete", self.namespaces.pop()],
                           stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
