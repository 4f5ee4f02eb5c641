"""Nodes as hosts of their own: each in a network namespace on one switch, so that the wire between any two can be cut.

Nothing is changed outside the namespaces made here. Without root, every node gets a loopback address instead, and wires
cannot be cut."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from . import profiles
from .api import health
from .loop import Failure, eventually
from .system import ROLES, SHIPPED, TANDEM, alive

NOWHERE = "02:00:00:00:00:fe"  # an Ethernet address that nobody has


def may_make_namespaces():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    probe = f"tdm{os.getpid()}p"
    made = subprocess.run(["ip", "netns", "add", probe], stderr=subprocess.DEVNULL).returncode == 0
    wired = made and subprocess.run(["ip", "-n", probe, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"],
                                    stderr=subprocess.DEVNULL).returncode == 0
    bridged = wired and subprocess.run(["ip", "-n", probe, "link", "add", "switch", "type", "bridge"],
                                       stderr=subprocess.DEVNULL).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", probe])
    return bridged


class Wires:
    """A switch in a namespace of its own with a cable to each host."""

    def __init__(self, hosts, prefix=None, network="10.87.0"):
        self.prefix = prefix or f"tdm{os.getpid()}"
        self.addresses = {host: f"{network}.{number + 10}" for number, host in enumerate(hosts)}
        self.network = network

    def name(self, host):
        return f"{self.prefix}-{host}"

    def make(self):
        switch = self.name("switch")
        self._ip("netns", "add", switch)
        self._ip("-n", switch, "link", "add", "switch", "type", "bridge")
        self._ip("-n", switch, "link", "set", "switch", "up")
        for number, (host, address) in enumerate(self.addresses.items()):
            space = self.name(host)
            self._ip("netns", "add", space)
            self._ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            self._ip("-n", switch, "link", "set", f"port{number}", "master", "switch", "up")
            self._ip("-n", space, "link", "set", "lo", "up")
            self._ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            self._ip("-n", space, "link", "set", "eth0", "up")

    def remove(self):
        for host in [*self.addresses, "switch"]:
            subprocess.run(["ip", "netns", "del", self.name(host)], stderr=subprocess.DEVNULL)

    def cut(self, one, other):
        """From now on nothing gets from one host to the other; the reverse way is left as it is."""
        self._ip("-n", self.name(one), "neigh", "replace", self.addresses[other], "lladdr", NOWHERE, "dev", "eth0", "nud", "permanent")

    def mend(self, one, other):
        self._ip("-n", self.name(one), "neigh", "del", self.addresses[other], "dev", "eth0")

    @staticmethod
    def _ip(*arguments):
        done = subprocess.run(["ip", *arguments], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failure(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Hosts:
    """The nodes of a system, one process a host, started and ended by us."""

    def __init__(self, folder, nodes, wires=None):
        self.folder, self.wires = pathlib.Path(folder), wires
        self.state = self.folder / "state"
        self.profiles = self.folder / "profiles"
        self.nodes = list(nodes)
        self.processes = {}
        self.starts = {node: 0 for node in self.nodes}
        if wires:
            self.addresses = {node: wires.addresses[node] for node in self.nodes}
        else:
            self.addresses = {node: f"127.0.56.{number + 10}" for number, node in enumerate(self.nodes)}

    def prepare(self, derive):
        profiles.copy(SHIPPED, self.profiles)
        derive(self.profiles)
        ports = {}
        for node in self.nodes:
            text = (self.profiles / f"{node}.yaml").read_text()
            for port in re.findall(r"127\.0\.0\.1:(\d+)", "\n".join(text.partition("listen:")[2].splitlines()[:1])):
                ports[port] = self.addresses[node]
            ports[re.search(r"^http:\s*127\.0\.0\.1:(\d+)", text, re.M).group(1)] = self.addresses[node]
        for file in self.profiles.glob("*.yaml"):
            if file.stem not in self.nodes:
                file.unlink()
                continue
            text = re.sub(r"127\.0\.0\.1:(\d+)", lambda found: f"{ports[found.group(1)]}:{found.group(1)}", file.read_text())
            file.write_text(text)
            trusted = ", ".join(f'"{address}/32"' for address in self.addresses.values())
            profiles.change(file, "sip.trusted", f"[{trusted}]")
        (self.state / "run").mkdir(parents=True)
        (self.state / "log").mkdir()

    def endpoint(self, node):
        found = re.search(r":(\d+)", profiles.read(self.profiles / f"{node}.yaml", "sip.listen"))
        return self.addresses[node], int(found.group(1))

    def http(self, node):
        return self.addresses[node], int(profiles.read(self.profiles / f"{node}.yaml", "http").rpartition(":")[2])

    def role(self, node):
        return ROLES[profiles.read(self.profiles / f"{node}.yaml", "role")]

    def start(self, node):
        command = [str(TANDEM), self.role(node), "--profile", str(self.profiles / f"{node}.yaml"), "--state", str(self.state)]
        if self.wires:
            command = ["ip", "netns", "exec", self.wires.name(node), *command]
        with open(self.state / "log" / f"{node}.log", "ab") as log:
            self.processes[node] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        (self.state / "run" / f"{node}.pid").write_text(f"{self.processes[node].pid}\n")
        self.starts[node] += 1

    def wait_serving(self, node, seconds=60):
        def serves():
            if self.processes[node].poll() is not None:
                tail = (self.state / "log" / f"{node}.log").read_text(errors="replace").strip().splitlines()[-2:]
                raise Failure(f"{node} ended with {self.processes[node].returncode}: {' | '.join(tail)}")
            try:
                return health(*reversed(self.http(node))).status == 200
            except Failure:
                return False
        eventually(serves, seconds, f"{node} serving")

    def signal(self, node, number):
        self.processes[node].send_signal(number)

    def kill(self, node):
        self.processes[node].kill()
        self.processes[node].wait()

    def alive(self, node):
        return alive(self.processes[node].pid)

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        deadline = time.monotonic() + 6
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
