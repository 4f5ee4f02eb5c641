"""A running Tandem: `tandem up` on a copy of the profiles with a state folder of its own."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from . import profiles
from .api import API, health, metrics
from .loop import Failure, LOOP, eventually

ROOT = pathlib.Path(__file__).resolve().parents[3]
TANDEM = pathlib.Path(os.environ.get("TANDEM") or ROOT / ".build/release/tandem").resolve()
SHIPPED = pathlib.Path(os.environ.get("TANDEM_PROFILES") or ROOT / "sip-profiles").resolve()

HOME = "127.0.0.1"
ACCESS, MASTER = ("127.0.0.1", 5060), ("127.0.0.1", 5070)
CENTER_A, CENTER_B = ("127.0.0.1", 5081), ("127.0.0.1", 5082)
HTTP = {"access-1": 8060, "master-a": 8080, "master-b": 8088, "center-a": 8081, "center-b": 8082}
ROLES = {"access": "access", "center": "center", "master": "master", "seats": "seats"}


def busy_ports(address=HOME):
    """Demo ports that somebody else holds."""
    busy = []
    for port in (5060, 5070, 5071, 5081, 5082):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            busy += [port] if _is_busy(address, port, kind) else []
    busy += [port for port in HTTP.values() if _is_busy(address, port, socket.SOCK_STREAM)]
    return sorted(set(busy))


def _is_busy(address, port, kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return False
        except OSError:
            return True


def alive(pid):
    """True while the process runs; one that ended but was not yet collected by its parent does not."""
    try:
        with open(f"/proc/{pid}/stat") as line:
            return line.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class System:
    """`derive` changes the copied profiles; its attribute `address` moves the whole set to another loopback address, so
    that it serves beside one that has the demo ports. What it returns is removed when the system stops."""

    prompts = None  # a prompts folder that was built once in this run

    def __init__(self, name, folder, derive=None):
        self.name, self.folder = name, folder / name
        self.profiles, self.state = self.folder / "profiles", self.folder / "state"
        self.folder.mkdir(parents=True)
        profiles.copy(SHIPPED, self.profiles)
        # What runs beside the nodes, such as a database server.
        self.beside = derive(self.profiles) if derive else None
        self.address = getattr(derive, "address", HOME)
        if self.address != HOME:
            for file in self.profiles.glob("*.yaml"):
                file.write_text(file.read_text().replace(f"{HOME}:", f"{self.address}:"))
        self.state.mkdir()
        if System.prompts:
            shutil.copytree(System.prompts, self.state / "prompts")
        self.api = API(self.state, host=self.address)
        self.up = None
        self.restarted = {}
        self.expected_down = set()
        self._pids = {}

    def start(self, seconds=240):
        busy = busy_ports(self.address)
        if busy:
            raise Failure(f"ports {', '.join(map(str, busy))} are in use: stop the Tandem that runs here (or what else listens)")
        self._errors = open(self.folder / "up.err", "wb")
        self.up = subprocess.Popen([TANDEM, "up", "--profiles", self.profiles, "--state", self.state], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True, cwd=self.folder)
        ready = threading.Event()
        lines = []

        def read():
            with open(self.folder / "up.log", "w") as log:
                for line in self.up.stdout:
                    text = line.decode("utf-8", "replace").rstrip("\n")
                    lines.append(text)
                    log.write(text + "\n")
                    log.flush()
                    if text.strip() == "ready":
                        ready.set()
        threading.Thread(target=read, daemon=True).start()
        deadline = time.monotonic() + seconds
        while not ready.wait(0.1):
            if self.up.poll() is not None:
                said = (self.folder / "up.err").read_text(errors="replace").strip().splitlines()[-3:]
                raise Failure(f"tandem up ended with {self.up.returncode}: {' | '.join(said)}")
            if time.monotonic() > deadline:
                raise Failure(f"tandem up did not print 'ready' within {seconds} s (last line: {lines[-1:] or 'none'})")
        if System.prompts is None and (self.state / "prompts").is_dir():
            System.prompts = self.state / "prompts"
        self._pids = {node: self.pid(node) for node in self.nodes()}
        return self

    def endpoint(self, node):
        """(address, port) of a node's first SIP listener."""
        return _endpoint(profiles.read(self.profiles / f"{node}.yaml", "sip.listen"))

    def http(self, node):
        """(address, port) of a node's pages."""
        return _endpoint(profiles.read(self.profiles / f"{node}.yaml", "http"))

    def metrics(self, node):
        return metrics(*reversed(self.http(node)))

    def centers(self):
        return [node for node in self.nodes() if profiles.read(self.profiles / f"{node}.yaml", "role") == "center"]

    def nodes(self):
        return sorted(file.stem for file in (self.state / "run").glob("*.pid"))

    def pid(self, node):
        if node in self.restarted:
            return self.restarted[node].pid
        return int((self.state / "run" / f"{node}.pid").read_text().split()[0])

    def kill(self, node, with_signal=signal.SIGKILL):
        """Sends a signal to a node that may end by it; returns the moment (time.monotonic)."""
        pid = self.pid(node)
        self.expected_down.add(node)
        os.kill(pid, with_signal)
        moment = time.monotonic()
        if with_signal == signal.SIGKILL:
            eventually(lambda: not alive(pid), 5, f"end of {node}")
        return moment

    def restart(self, node):
        """Starts a killed node again, as a process of ours, and waits until it serves."""
        profile = self.profiles / f"{node}.yaml"
        log = open(self.folder / f"{node}-again.log", "ab")
        role = profiles.read(profile, "role") or node.split("-")[0]
        self.restarted[node] = subprocess.Popen([TANDEM, ROLES.get(role, role), "--profile", profile, "--state", self.state],
                                                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        log.close()
        self.expected_down.discard(node)
        self._pids[node] = self.restarted[node].pid

        def serves():
            if self.restarted[node].poll() is not None:
                raise Failure(f"{node} ended with {self.restarted[node].returncode} after its restart ({log.name})")
            try:
                return health(*reversed(self.http(node))).status == 200
            except Failure:
                return False
        eventually(serves, 20, f"{node} serving again")

    def settle(self, node):
        """Takes the process that runs now for the node's, after a scenario in which it may have been replaced."""
        self._pids[node] = self.pid(node)
        self.expected_down.discard(node)

    def dead(self):
        """Nodes that should live and do not."""
        return [node for node, pid in self._pids.items() if node not in self.expected_down and not alive(pid)]

    def log(self, node):
        file = self.state / "log" / f"{node}.log"
        text = file.read_text(errors="replace") if file.exists() else ""
        again = self.folder / f"{node}-again.log"
        return text + (again.read_text(errors="replace") if again.exists() else "")

    def stop(self):
        for process in self.restarted.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        pids = [pid for node, pid in self._pids.items() if node not in self.restarted]
        if self.up and self.up.poll() is None:
            self.up.send_signal(signal.SIGINT)
            try:
                self.up.wait(15)
            except subprocess.TimeoutExpired:
                self.up.kill()
                self.up.wait()
        for pid in pids:
            if alive(pid) and str(self.state) in _command(pid):
                os.kill(pid, signal.SIGKILL)
        if self.beside:
            self.beside.remove()
        LOOP.let_pass(0)

    def tandem(self, *arguments, seconds=20):
        """Runs a command of the binary; returns the finished process."""
        return tandem(*arguments, seconds=seconds, cwd=self.folder)


def _endpoint(text):
    """The first ADDRESS:PORT in a text of a profile."""
    found = re.search(r"(\[[0-9a-fA-F:]+\]|\d+(?:\.\d+){3}):(\d+)", text)
    return found.group(1).strip("[]"), int(found.group(2))


def _command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            return line.read().replace(b"\0", b" ").decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def tandem(*arguments, seconds=20, cwd=None, environment=None):
    try:
        return subprocess.run([str(TANDEM), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=seconds, cwd=cwd, text=True, env=environment and {**os.environ, **environment})
    except subprocess.TimeoutExpired:
        raise Failure(f"tandem {' '.join(map(str, arguments))} did not end within {seconds} s") from None
