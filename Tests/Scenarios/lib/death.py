"""What takeover scenarios share: calls on a chosen center, its death, and a second try where the machine was starved."""

import contextlib
import functools
import signal
import time

from .api import API
from .loop import LOOP, Failure, eventually, expect
from .starved import Starvation
from .system import alive

PROMISE = 1.5  # seconds from the death to audio, at the caller


class TooSlow(Failure):
    """A promise in seconds was not kept: counts only where the machine had the processor time for it."""


def in_time(condition, message):
    if not condition:
        raise TooSlow(message() if callable(message) else message)


def timed(function):
    """A scenario that asserts seconds. It is tried once more if only time was short and the machine was starved."""
    @functools.wraps(function)
    def tried(test):
        measured = Starvation()
        try:
            with measured:
                function(test)
            return
        except TooSlow as slow:
            if not measured.starved:
                raise
            print(f"again {test.name}: {slow}; but {measured}", flush=True)
        recover(test)
        measured = Starvation()
        try:
            with measured:
                function(test)
        except TooSlow as slow:
            raise TooSlow(f"twice: {slow}; {measured}") from None
    return tried


def recover(test):
    """Everything up again, every former call gone."""
    for node in test.system.nodes():
        pid = test.system.pid(node)
        if not alive(pid):
            test.system.restart(node)
        else:
            test.system.settle(node)
    for center in test.system.centers():
        test.api.wait_node(center, ("up", "ramping"), 30)


def land(test, center, dial, tries=8, seconds=3):
    """Dials until the call is at that center; what landed elsewhere is hung up. `dial` returns an answered call. Access
    may hear of a center that is back a moment after the master that was asked."""
    wanted = test.system.endpoint(center)
    since, tried = time.monotonic(), 0
    while tried < tries or time.monotonic() - since < seconds:
        call = dial()
        if call.center == wanted:
            return call
        call.hang_up()
        tried += 1
    raise Failure(f"{tried} calls, and none reached {center}")


class Death:
    """A node that is killed, or frozen until `thaw`. `at` is the moment by time.monotonic(), `civil` by time.time()."""

    def __init__(self, test, node, frozen=False):
        self.test, self.node, self.frozen = test, node, frozen
        self.pid = test.system.pid(node)
        test.system.expected_down.add(node)
        self.civil, self.at = time.time(), time.monotonic()
        test.system.kill(node, signal.SIGSTOP if frozen else signal.SIGKILL)

    def thaw(self):
        if self.frozen and alive(self.pid):
            self.test.system.kill(self.node, signal.SIGCONT)
        self.frozen = False

    @property
    def since(self):
        return time.monotonic() - self.at


@contextlib.contextmanager
def death_of(test, node, frozen=False):
    """The node is dead, or frozen, in the body; afterwards it serves again."""
    death = Death(test, node, frozen)
    try:
        yield death
    finally:
        death.thaw()
        restore(test, node)


def restore(test, node, seconds=30):
    """The node runs and is used: by its supervisor's doing where that starts it again, else by ours."""
    def runs():
        try:
            return alive(test.system.pid(node))
        except (OSError, ValueError):
            return False
    LOOP.let_pass(0.3)
    if not runs():
        with contextlib.suppress(Failure):
            if node not in test.system.restarted:
                eventually(runs, 1, "restart by the supervisor")
    if runs():
        test.system.settle(node)
    else:
        test.system.restart(node)
    test.api.wait_node(node, ("up", "ramping"), seconds)


def leader(test):
    """The master that leads: what each says of itself."""
    for node in test.system.nodes():
        if node.startswith("master"):
            address, port = test.system.http(node)
            with contextlib.suppress(Failure, KeyError):
                if str(API(test.system.state, port, address).nodes()[node]["reason"]).startswith("leads"):
                    return node
    return None


class Verdicts:
    """Collects what is wrong with many callers of one scenario; names each."""

    def __init__(self):
        self.wrong = []

    @contextlib.contextmanager
    def about(self, who):
        try:
            yield
        except Failure as failure:
            self.wrong.append((who, failure))
        except Exception as error:
            self.wrong.append((who, Failure(f"{type(error).__name__}: {error}")))

    def judge(self):
        if self.wrong:
            kind = TooSlow if all(isinstance(failure, TooSlow) for _, failure in self.wrong) else Failure
            shown = "; ".join(f"{who}: {failure}" for who, failure in self.wrong[:6])
            more = f" … and {len(self.wrong) - 6} more" if len(self.wrong) > 6 else ""
            raise kind(shown + more)


def expect_moved(call, death, taker=None, exactly=None):
    """The call was moved once by a proper re-INVITE, and its ACK came."""
    moves = [move for move in call.moves if move.at >= death.at]
    expect(moves, "no re-INVITE came")
    if exactly:
        expect(len(moves) == exactly, f"{len(moves)} re-INVITEs came")
    move = moves[-1]
    expect(call.center != death.test.system.endpoint(death.node), "its target is still the dead center")
    wrong = move.faults(taker or call.center)
    expect(not wrong, "; ".join(wrong))
    expect(not call.problems, "; ".join(call.problems))
    return move


def expect_no_late(call, overlap=0.0):
    """Nothing came of a former source once the present one spoke; in a handover both may speak for `overlap` seconds."""
    meter = call.stream.meter
    changes = [moment for moment, _ in meter.changes]
    late = [moment for moment, _ in meter.late if not any(change <= moment <= change + overlap for change in changes)]
    expect(not late, f"{len(late)} packets of a former source after the present one spoke")
