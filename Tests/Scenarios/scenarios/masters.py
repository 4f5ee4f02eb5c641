"""Two masters: the standby leads when the leader dies or freezes, and calls need neither of them."""

import os
import signal
import time

from lib.api import http
from lib.death import in_time, timed
from lib.loop import LOOP, Failure, eventually, expect, wait_for
from lib.scenario import scenario

MASTERS = ("master-a", "master-b")
PROMISE = 1.5  # seconds from the leader's death to the standby's first act


def standing(test, master):
    """What a master says of itself: `leads, epoch 3`, `stands by for master-a`, `the store is silent`; None where it does not answer."""
    address, port = test.system.http(master)
    try:
        reply = http(port, "/api/v1/nodes", headers={"Authorization": f"Bearer {test.api.token}"}, host=address, timeout=1)
    except Failure:
        return None
    return next((node["reason"] for node in reply.json if node["name"] == master), None)


def epoch(text):
    return int(text.rpartition(" ")[2]) if text and text.startswith("leads") else None


def leader(test, seconds=5):
    """(leader, standby), once there is one of each."""
    def one():
        found = {master: standing(test, master) for master in MASTERS}
        leads = [master for master in MASTERS if epoch(found[master])]
        stands = [master for master in MASTERS if (found[master] or "").startswith("stands by")]
        return (leads[0], stands[0]) if len(leads) == 1 and len(stands) == 1 else None
    return eventually(one, seconds, "one master that leads and one that stands by", every=0.05)


def ask(test, master, path, method="GET"):
    address, port = test.system.http(master)
    return http(port, path, method, {"Authorization": f"Bearer {test.api.token}"}, host=address)


def all_up(test, master):
    address, port = test.system.http(master)
    before, test.api.port = test.api.port, port
    try:
        for center in test.system.centers():
            test.api.wait_node(center, ("up", "ramping"), 30)
    finally:
        test.api.port = before


def wait_leads(test, master, since, seconds=6):
    eventually(lambda: epoch(standing(test, master)), seconds, f"{master} leading", every=0.01)
    return time.monotonic() - since


@scenario("masters", system="masters", order=20)
def orders_go_to_the_leader_wherever_they_arrive(test):
    """drain at the standby is passed on; a master itself takes no orders, because it serves no calls."""
    first, second = leader(test)
    for master in MASTERS:
        for node in MASTERS:
            reply = ask(test, master, f"/api/v1/nodes/{node}/drain", "POST")
            expect(reply.status == 409, f"drain of {node} at {master} was answered {reply.status}")
            expect(reply.json["error"]["message"], "no message")
    expect(ask(test, second, "/api/v1/nodes/center-b/drain", "POST").status == 202, "drain at the standby")
    test.api.port = test.system.http(first)[1]
    test.api.wait_node("center-b", "draining", 2)
    expect(ask(test, second, "/api/v1/nodes/center-b/enable", "POST").status == 202, "enable at the standby")
    test.api.wait_node("center-b", ("up", "ramping"), 2)


@scenario("masters", system="masters", order=21)
def a_drained_access_node_refuses_new_calls_and_keeps_the_others(test):
    """503 with Retry-After within a second of the order; enabled, it takes calls again."""
    access = test.system.endpoint("access-1")
    first, _ = leader(test)
    held = test.phone().dial(access, "9664")
    expect(ask(test, first, "/api/v1/nodes/access-1/drain", "POST").status == 202, "drain of access-1")

    def refused():
        call = test.phone().call(access, "9664", media=False)
        wait_for(lambda: call.state != "calling", 5, "answer of access-1")
        if call.state == "answered":
            call.hang_up()
        return call.status == 503
    try:
        eventually(refused, 3, "503 to new calls", every=0.2)
        held.stream.wait_packets(20, 2, held.stream.mark())
        held.hang_up()
    finally:
        ask(test, first, "/api/v1/nodes/access-1/enable", "POST")
    test.api.port = test.system.http(first)[1]
    test.api.wait_node("access-1", "up", 3)
    LOOP.let_pass(0.6)
    test.phone().dial(access, "9664").hang_up()


@scenario("masters", system="masters", order=90)
@timed
def the_standby_leads_when_the_leader_is_killed(test):
    """kill -9, three times in turns: another epoch each time, 1.5 s at most; access nodes take the new leader's table."""
    took = []
    for _ in range(3):
        first, second = leader(test, 10)
        all_up(test, second)
        before = epoch(standing(test, first))
        killed = test.system.kill(first)
        took.append(wait_leads(test, second, killed))
        after = epoch(standing(test, second))
        expect(after > before, f"epoch {after} after {before}")
        test.phone().dial(test.system.endpoint("access-1"), "9664").hang_up()
        test.system.restart(first)
    test.note("the standby led after " + ", ".join(f"{seconds:.2f} s" for seconds in took))
    in_time(max(took) <= PROMISE, f"the standby led after {max(took):.2f} s")


@scenario("masters", system="masters", order=91)
@timed
def a_frozen_leader_is_followed_and_does_no_harm_when_it_wakes(test):
    """SIGSTOP of the leader: the standby leads; the old one stands by when it is back, and fences nobody."""
    first, second = leader(test, 10)
    all_up(test, second)
    lives = {node["name"]: node["incarnation"] for node in ask(test, second, "/api/v1/nodes").json}
    pid = test.system.pid(first)
    test.system.expected_down.add(first)
    os.kill(pid, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        took = wait_leads(test, second, frozen)
        LOOP.let_pass(3)
    finally:
        os.kill(pid, signal.SIGCONT)
        test.system.settle(first)
    eventually(lambda: (standing(test, first) or "").startswith("stands by"), 3, f"{first} standing by")
    LOOP.let_pass(2)
    expect(epoch(standing(test, second)), f"{second} leads no more")
    now = {node["name"]: node["incarnation"] for node in ask(test, second, "/api/v1/nodes").json}
    changed = [name for name in lives if lives[name] and name not in MASTERS and now[name] != lives[name]]
    expect(not changed, f"fenced by a master that was only frozen: {changed}")
    test.note(f"the standby led after {took:.2f} s")
    in_time(took <= PROMISE, f"the standby led after {took:.2f} s")


@scenario("masters", system="masters", order=95)
def with_no_master_at_all_calls_go_on(test):
    """Both are killed: calls that are up keep their audio, new ones are answered, also when a center dies as well."""
    first, second = leader(test, 10)
    all_up(test, first)
    access = test.system.endpoint("access-1")
    held = [test.phone().dial(access, "9664") for _ in range(6)]
    for master in (first, second):
        test.system.kill(master)
    LOOP.let_pass(2)
    for call in held:
        call.stream.wait_packets(20, 2, call.stream.mark())
    for _ in range(4):
        test.phone().dial(access, "9664").hang_up()
    test.system.kill("center-a")
    delays = []
    for _ in range(10):
        call = test.phone().dial(access, "9664")
        delays.append(call.answer_delay)
        expect(call.center == test.system.endpoint("center-b"), f"answered by {call.center}")
        call.hang_up()
    test.note(f"with center-a dead and no master, new calls were answered within {max(delays):.2f} s")
    for call in held:
        if call.center == test.system.endpoint("center-b"):
            call.stream.wait_packets(20, 2, call.stream.mark())
            call.hang_up()
    for node in ("center-a", first, second):
        test.system.restart(node)
    leader(test, 10)
    all_up(test, first)


@scenario("masters", system="masters", order=96)
def what_died_with_the_masters_is_taken_over_when_one_is_back(test):
    """Both masters and a center are killed: the calls of the dead center wait in the store, and the first master that
    leads again finds them there."""
    first, second = leader(test, 10)
    all_up(test, first)
    access = test.system.endpoint("access-1")
    held = [test.phone().dial(access, "9664") for _ in range(6)]
    orphans = [call for call in held if call.center == test.system.endpoint("center-a")]
    expect(orphans, "no call reached center-a")
    for master in (first, second):
        test.system.kill(master)
    test.system.kill("center-a")
    LOOP.let_pass(1)
    test.system.restart(second)
    back = time.monotonic()
    for call in orphans:
        call.stream.wait_packets(20, 10, call.stream.mark())
    test.note(f"heard again {time.monotonic() - back:.2f} s after the master was back")
    for call in held:
        call.hang_up()
    for node in (first, "center-a"):
        test.system.restart(node)
    leader(test, 10)
    all_up(test, first)
