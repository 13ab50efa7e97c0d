"""Who is measured: each carries packets from one network namespace, the client's, to another.

A contestant knows how to set itself up in a World: namespaces, processes, addresses. After that its
fields say where a client and a server are to be started and what address the client goes to.
`workers` are the processes that carry the packets; the plain veth pair has none.
"""

import os
import shutil

from world import NETNS_FOLDER, Trouble, World, wait_until

MTU = 1500
BIG_MTU = 65520


def needs(*programs):
    for program, package in programs:
        if shutil.which(program) is None:
            raise Trouble(f"{program} is not installed (package {package})")


def address_of(number):
    return f"10.77.0.{number + 1}"


class Contestant:
    name = ""
    about = ""
    mtu = MTU
    big_mtu = None  # None: its frames stay small, for the reason small_why
    small_why = ""
    idle_about = ""
    interfaces = 2  # that it takes to connect a client and a server

    def __init__(self, options):
        self.options = options
        self.world = World()
        self.workers = []
        self.client = self.server = self.target = ""
        self.links = []  # (namespace, interface) whose MTU can be changed

    def open(self, interfaces):
        """Sets up so many interfaces, of which the first is the server's, the second the client's."""
        raise NotImplementedError

    def work(self, label, argv, netns=None):
        process = self.world.start(label, argv, netns)
        self.workers.append(process)
        return process

    def check(self):
        for worker in self.workers:
            worker.check()

    def set_mtu(self, mtu):
        for netns, interface in self.links:
            self.world.ip(netns, "link", "set", "dev", interface, "mtu", str(mtu))

    def namespaces(self, count):
        made = [self.world.namespace() for _ in range(count)]
        self.server, self.client, self.target = made[0], made[1], address_of(0)
        return made

    def dress(self, netns, interface, number):
        self.world.ip(netns, "addr", "add", f"{address_of(number)}/24", "dev", interface)
        self.world.ip(netns, "link", "set", "dev", interface, "mtu", str(self.mtu), "up")
        self.links.append((netns, interface))

    def close(self):
        self.world.close()


class Veth(Contestant):
    name = "veth"
    about = "a pair of virtual interfaces, one in each namespace: the kernel alone"
    big_mtu = BIG_MTU

    def open(self, interfaces):
        first, second = self.namespaces(2)
        self.world.ip(first, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0",
                      "netns", second)
        self.dress(first, "veth0", 0)
        self.dress(second, "veth0", 1)


class Causeway(Contestant):
    big_mtu = BIG_MTU
    executor = ""
    idle_about = "causewayd, the unit and a `causeway netdev` for each interface"

    def open(self, interfaces):
        program = os.path.join(self.options.bin, "causeway")
        daemon = os.path.join(self.options.bin, "causewayd")
        for path in (program, daemon):
            if not os.access(path, os.X_OK):
                raise Trouble(f"{path} is not there: run make, or say where with --bin")
        made = self.namespaces(interfaces)
        runtime = os.path.join(self.world.folder, "run")
        socket = os.path.join(runtime, "fabric.sock")
        adapter = self.work("causewayd", [daemon, "--runtime-dir", runtime])
        wait_until(lambda: os.path.exists(socket), "the adapter's socket", alive=[adapter])
        common = ["--socket", socket, "--executor", self.executor]
        self.work("unit", [program, "unit", "network", *common, "--attach", "net", "--name", "lan0",
                           "--mtu", str(BIG_MTU)])
        for number, netns in enumerate(made):
            self.work(f"netdev{number}",
                      [program, "netdev", *common, "--attach", f"end{number}", "--unit", "net/lan0",
                       "--name", "cw0", "--address", f"{address_of(number)}/24", "--netns", netns,
                       "--mtu", str(BIG_MTU)])
        for netns in made:
            wait_until(lambda ns=netns: self._carrier(ns), "the carrier of an interface", 15,
                       self.workers)
            self.links.append((netns, "cw0"))
        self.set_mtu(self.mtu)

    def _carrier(self, netns):
        return self.world.has_link(netns, "cw0") and "LOWER_UP" in self.world.ip(
            netns, "link", "show", "dev", "cw0")


class CausewayAdapter(Causeway):
    name = "causeway adapter"
    about = "unit network and two netdev, executor adapter: the adapter copies, nobody maps another's memory"
    executor = "adapter"


class CausewayDirect(Causeway):
    name = "causeway direct"
    about = "the same, executor direct: each end copies by itself"
    executor = "direct"


class Vde(Contestant):
    name = "vde"
    about = "VDE2: vde_switch, and a vde_plug2tap for each interface"
    small_why = "its frames are of 1514 bytes at most"
    idle_about = "vde_switch and a vde_plug2tap for each interface"

    def open(self, interfaces):
        needs(("vde_switch", "vde-switch"), ("vde_plug2tap", "vde2"))
        made = self.namespaces(interfaces)
        sockets = os.path.join(self.world.folder, "switch")
        switch = self.work("vde_switch", ["vde_switch", "-s", sockets])
        wait_until(lambda: os.path.exists(os.path.join(sockets, "ctl")), "vde_switch's socket",
                   alive=[switch])
        for number, netns in enumerate(made):
            plug = self.work(f"vde_plug2tap{number}", ["vde_plug2tap", "-s", sockets, "vde0"], netns)
            wait_until(lambda ns=netns: self.world.has_link(ns, "vde0"), "vde_plug2tap's interface",
                       alive=[plug])
            self.dress(netns, "vde0", number)


class UserModeNat(Contestant):
    """An interface in the client's namespace; its connections are made anew from the server's
    namespace, where the program was started, by ordinary sockets. No Ethernet between the two."""

    mtu = BIG_MTU
    big_mtu = BIG_MTU
    interfaces = 1

    def open(self, interfaces):
        made = self.namespaces(1 + interfaces)
        for number in range(1, 1 + interfaces):
            self.join(made[0], made[number], number)


class Pasta(UserModeNat):
    name = "pasta"
    about = ("passt's pasta, user-mode NAT: an interface in the client's namespace; the connection is made "
             "anew in the server's namespace, where pasta runs, to an address there")
    idle_about = "a pasta for each interface"

    def open(self, interfaces):
        needs(("pasta", "passt"))
        super().open(interfaces)

    def join(self, parent, child, number):
        if number == 1:
            # What it takes for the way out: an interface with an address and the default route.
            self.world.ip(parent, "link", "add", "up0", "type", "veth", "peer", "name", "up1")
            self.world.ip(parent, "link", "set", "up1", "up")
            self.dress(parent, "up0", 0)
            self.links.clear()  # packets do not go this way
            self.world.ip(parent, "route", "add", "default", "via", address_of(253))
        # No forwarding of ports: by those pasta would splice loopback connections, off the interface.
        pasta = self.work(
            f"pasta{number}",
            ["pasta", "--foreground", "--stderr", "--quiet", "--runas", "0", "--ipv4-only",
             "--config-net", "--ns-ifname", "pasta0", "--mtu", str(self.mtu),
             "--address", address_of(number), "--netmask", "24", "--gateway", address_of(253),
             "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
             "--netns", f"{NETNS_FOLDER}/{child}"], parent)
        wait_until(lambda: "default" in self.world.ip(child, "route"), "pasta's route", alive=[pasta])


class PastaSmall(Pasta):
    name = "pasta mtu1500"
    about = "the same with the MTU that the other contestants have"
    mtu = MTU
    big_mtu = None
    small_why = "its MTU is 1500 here"
    idle_about = ""


class Slirp(UserModeNat):
    name = "slirp4netns"
    about = ("user-mode NAT by libslirp: an interface in the client's namespace; the connection is made anew "
             "in the server's namespace, where slirp4netns runs, to the loopback there")
    idle_about = "a slirp4netns for each interface"

    def open(self, interfaces):
        needs(("slirp4netns", "slirp4netns"))
        super().open(interfaces)
        self.target = "10.0.2.2"  # its name for the loopback of the other side

    def join(self, parent, child, number):
        slirp = self.work(
            f"slirp4netns{number}",
            ["slirp4netns", "--configure", f"--mtu={BIG_MTU}", "--netns-type=path",
             f"{NETNS_FOLDER}/{child}", "slirp0"], parent)
        wait_until(lambda: "default" in self.world.ip(child, "route"), "slirp4netns' route",
                   alive=[slirp])


ALL = [Veth, CausewayAdapter, CausewayDirect, Vde, Pasta, PastaSmall, Slirp]
