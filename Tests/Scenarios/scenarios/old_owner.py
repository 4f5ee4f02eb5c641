"""A center that was stopped, or hears nobody: what it may still say, and when."""

import signal
import sqlite3
import time

from lib.loop import LOOP, eventually, expect
from lib.scenario import scenario
from lib.system import CENTER_A, CENTER_B, alive

MUSIC = "9664"


class Ear:
    """Everything that a phone hears from one SIP address, and the audio of its calls from one RTP port each."""

    def __init__(self, phone, source):
        self.heard = []
        take = phone._take

        def note(data, sender):
            if sender[:2] == source:
                self.heard.append((time.time(), data.split(b"\r\n", 1)[0].decode("ascii", "replace")))
            take(data, sender)
        phone._take = note

    def since(self, moment):
        return [f"{line} after {at - moment:.3f} s" for at, line in list(self.heard) if at >= moment]


def packets_from(call, port, since):
    return [packet for packet in list(call.stream.packets) if packet.source[1] == port and packet.at >= since]


def incarnation(test, node):
    return test.api.nodes()[node].get("incarnation")


def held_calls(test, count):
    """Calls that center-b answered itself, with the ear of each phone; the last one never acknowledges its 200."""
    held = []
    for number in range(count):
        phone = test.phone()
        ear = Ear(phone, CENTER_B)
        call = phone.dial(CENTER_B, MUSIC, auto_ack=number < count - 1)
        held.append((call, ear, call.answer.audio.port))
    for call, _, _ in held:
        call.stream.wait_packets(10, 3, call.stream.mark())
    return held


@scenario("oldowner", order=92)
def a_center_stopped_for_six_seconds_says_nothing_more_of_its_calls(test):
    """SIGSTOP for 6 s: fenced meanwhile. Then not one RTP packet and not one SIP message of the calls it held; it comes
    back as another incarnation and takes calls."""
    test.api.wait_node("center-b", "up", 30)
    before = incarnation(test, "center-b")
    held = held_calls(test, 12)
    pid = test.system.pid("center-b")
    test.system.expected_down.add("center-b")
    test.system.kill("center-b", signal.SIGSTOP)
    # What left before the stop may still be on its way.
    silent_from = time.time() + 0.05
    try:
        LOOP.let_pass(6)
    finally:
        if alive(pid):
            test.system.kill("center-b", signal.SIGCONT)
    LOOP.let_pass(3)
    for call, ear, port in held:
        late = packets_from(call, port, silent_from)
        expect(not late, f"{len(late)} RTP packets of the old owner, the first {late[0].at - silent_from:.3f} s after the stop"
               if late else "")
        said = ear.since(silent_from)
        expect(not said, f"SIP of the old owner: {said[:3]}")
    expect(alive(pid), "center-b ended by the stop")
    test.system.settle("center-b")
    test.api.wait_node("center-b", ("up", "ramping"), 20)
    after = eventually(lambda: incarnation(test, "center-b") != before and incarnation(test, "center-b"), 5,
                       "new incarnation of center-b")
    expect(after != before, "center-b is still the incarnation that was fenced")
    call = test.phone().dial(CENTER_B, MUSIC)
    call.stream.wait_packets(10, 3, call.stream.mark())
    call.hang_up()


@scenario("oldowner", order=91)
def a_center_stopped_too_shortly_to_be_fenced_goes_on_with_its_calls(test):
    """0.45 s: long enough to be in doubt, too short for a fence. Silent until confirmed, then on as before."""
    test.api.wait_node("center-b", "up", 30)
    before = incarnation(test, "center-b")
    held = held_calls(test, 3)[:2]
    test.system.kill("center-b", signal.SIGSTOP)
    time.sleep(0.45)
    test.system.kill("center-b", signal.SIGCONT)
    test.system.settle("center-b")
    marks = [call.stream.mark() for call, _, _ in held]
    for (call, _, port), mark in zip(held, marks):
        call.stream.wait_packets(20, 3, mark)
        answer = call.info("5")
        expect(answer.status == 200, f"INFO was answered {answer.status}")
        expect(call.state == "answered", "the call ended")
    expect(incarnation(test, "center-b") == before, "center-b was fenced within 0.45 s")
    for call, _, _ in held:
        call.hang_up()


@scenario("oldowner", order=93)
def a_center_that_hears_nobody_is_silent_and_takes_no_calls(test):
    """The masters stopped and the store locked: after a second no audio and 503. With the store back all goes on."""
    test.api.wait_node("center-a", ("up", "ramping"), 30)
    call = test.phone().dial(CENTER_A, MUSIC)
    call.stream.wait_packets(10, 3, call.stream.mark())
    lock = sqlite3.connect(test.system.state / "tandem.sqlite", timeout=5, isolation_level=None)
    masters = [node for node in test.system.nodes() if node.startswith("master")]
    for master in masters:
        test.system.kill(master, signal.SIGSTOP)
    try:
        lock.execute("BEGIN IMMEDIATE")
        LOOP.let_pass(1.8)
        mark = call.stream.mark()
        LOOP.let_pass(0.5)
        heard = call.stream.since(mark)
        expect(not heard, f"{len(heard)} RTP packets from a center that hears nobody")
        refused = test.phone().call(CENTER_A, MUSIC)
        refused.wait_failed(3)
        expect(refused.status == 503, f"a new call got {refused.status}")
        lock.execute("ROLLBACK")
        call.stream.wait_packets(20, 4, call.stream.mark())
        expect(call.state == "answered", "the call ended")
    finally:
        lock.close()
        for master in masters:
            if alive(test.system.pid(master)):
                test.system.kill(master, signal.SIGCONT)
            test.system.settle(master)
    call.hang_up()
    test.api.wait_node("center-a", ("up", "ramping"), 15)
