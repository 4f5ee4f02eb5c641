"""What happens to a system in a chaos run, one thing at a time: each is done, lasts, and is undone."""

import signal
import time

from .loop import LOOP


class Fault:
    """`hits` says which calls may feel it: those on that center, or None for nobody."""

    access = False

    def __init__(self, hosts, node, seconds):
        self.hosts, self.node, self.seconds = hosts, node, seconds

    @property
    def name(self):
        return f"{self.word} {self.node}" + (f" for {self.seconds:.1f} s" if self.seconds else "")

    def run(self):
        self.at, self.civil = time.monotonic(), time.time()
        self.begin()
        LOOP.let_pass(self.seconds)
        self.end()
        self.ended = time.monotonic()


class Kill(Fault):
    word = "kill -9"

    def begin(self):
        self.hosts.kill(self.node)

    def end(self):
        self.hosts.start(self.node)


class KillTogether(Kill):
    """A center and the leading master at once."""

    word = "kill -9 of the leader and"

    def __init__(self, hosts, node, seconds, leader):
        super().__init__(hosts, node, seconds)
        self.leader = leader

    def begin(self):
        self.hosts.kill(self.leader)
        self.hosts.kill(self.node)

    def end(self):
        self.hosts.start(self.leader)
        self.hosts.start(self.node)


class Freeze(Fault):
    word = "SIGSTOP"

    def begin(self):
        self.hosts.signal(self.node, signal.SIGSTOP)

    def end(self):
        if self.hosts.alive(self.node):
            self.hosts.signal(self.node, signal.SIGCONT)
        else:
            # The leader ended it because it held the store: its supervisor's part is ours here.
            self.hosts.processes[self.node].wait()
            self.hosts.start(self.node)


class Cut(Fault):
    """Between the node and some others; `ways` is 'both', 'from' (it is not heard) or 'to' (it hears nothing)."""

    def __init__(self, hosts, node, seconds, others, ways, whom):
        super().__init__(hosts, node, seconds)
        self.others, self.ways = others, ways
        self.word = {"both": "cut", "from": "cut of what leaves", "to": "cut of what reaches"}[ways]
        self.whom = whom

    @property
    def name(self):
        return f"{self.word} {self.node} ({self.whom}) for {self.seconds:.1f} s"

    def begin(self):
        self._each(self.hosts.wires.cut)

    def end(self):
        self._each(self.hosts.wires.mend)

    def _each(self, action):
        for other in self.others:
            if self.ways in ("both", "from"):
                action(self.node, other)
            if self.ways in ("both", "to"):
                action(other, self.node)


def choose(source, hosts, leader, wires):
    """A fault by the dice: mostly centers, sometimes a master, sometimes the wires."""
    centers = [node for node in hosts.nodes if hosts.role(node) == "center"]
    masters = [node for node in hosts.nodes if hosts.role(node) == "master"]
    node = source.choice(centers)
    kinds = ["kill", "kill", "freeze", "freeze", "together", "master", "master-freeze"] + (["cut"] * 4 if wires else [])
    kind = source.choice(kinds)
    first = leader or source.choice(masters)
    if kind == "kill":
        return Kill(hosts, node, source.uniform(0.2, 3))
    if kind == "freeze":
        return Freeze(hosts, node, source.choice([0.3, 0.6, 1.0, 2.0, 4.0, 6.0]))
    if kind == "together":
        return KillTogether(hosts, node, source.uniform(0.5, 3), first)
    if kind == "master":
        return Kill(hosts, source.choice([first, *masters]), source.uniform(0.2, 3))
    if kind == "master-freeze":
        return Freeze(hosts, first, source.choice([0.5, 1.5, 4.0]))
    everybody = [other for other in wires.addresses if other != node]
    whom = source.choice(["from everybody", "from masters and access", "from the masters", "from access"])
    others = {"from everybody": everybody, "from masters and access": [*masters, "access-1"], "from the masters": masters,
              "from access": ["access-1"]}[whom]
    ways = source.choice(["both", "both", "from", "to"]) if whom != "from access" else "both"
    return Cut(hosts, node, source.uniform(1.0, 5.0), others, ways, whom)
