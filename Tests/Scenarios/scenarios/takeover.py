"""A center dies and its calls go on at another: hundreds at once, killed, frozen, and together with the leading master."""

import contextlib
import time

from lib.api import total
from lib.crowd import Crowd, number_of, percentile, records
from lib.death import PROMISE, Death, Verdicts, death_of, expect_moved, expect_no_late, in_time, leader, restore, timed
from lib.loop import LOOP, Failure, eventually, expect, wait_for
from lib.scenario import scenario
from scenarios.failover import NodeWatch

CALLS = 300


def both_up(test):
    for center in test.system.centers():
        test.api.wait_node(center, ("up", "ramping"), 30)


def wait_moved(calls, seconds):
    """Waits until each has had a re-INVITE and its ACK; what is missing is judged by the caller of this."""
    try:
        wait_for(lambda: all(call.state != "answered" or (call.moves and call.acks) for call in calls), seconds, "re-INVITEs")
    except Failure:
        pass


def judge_crowd(test, crowd, moved, stayed, death, verdicts, promise=PROMISE):
    """None dropped, none silent, no gap beyond the promise; then every one hangs up and has its one CDR."""
    gaps = crowd.gaps()
    dropped = [call for call in crowd.calls if call.state != "answered"]
    with verdicts.about("calls"):
        expect(not dropped, f"{len(dropped)} of {crowd.count} calls were dropped")
    now = time.time()
    silent = [call for call in crowd.calls if call.state == "answered" and now - call.stream.meter.last > 0.5]
    with verdicts.about("audio"):
        expect(not silent, f"{len(silent)} callers hear nothing ({sum(call in moved for call in silent)} of the moved)")
    values = [gap for gap, _ in gaps]
    moved_gaps = [gap for gap, call in gaps if call in moved]
    if moved_gaps:
        test.note(f"{len(moved_gaps)} moved: gaps p50 {percentile(moved_gaps, 50):.3f} s, p99 {percentile(moved_gaps, 99):.3f} s, "
                  f"max {max(moved_gaps):.3f} s; the other {len(values) - len(moved_gaps)}: max "
                  f"{max([gap for gap, call in gaps if call in stayed], default=0):.3f} s")
    with verdicts.about("gaps"):
        in_time(values and values[0] <= promise,
                f"longest gap {values[0]:.2f} s, p99 {percentile(values, 99):.2f} s, {sum(v > promise for v in values)} beyond {promise} s")
    for call in moved:
        with verdicts.about(f"caller {call.user}"):
            if call.state == "answered":
                expect_moved(call, death, exactly=1)
                expect_no_late(call)
    with verdicts.about("who was not concerned"):
        expect(not any(call.moves for call in stayed), f"{sum(bool(call.moves) for call in stayed)} calls of the living were moved")


def judge_records(test, crowd, moved, verdicts, centers=None):
    refused = crowd.hang_up()
    with verdicts.about("BYE"):
        expect(not refused, f"{len(refused)} of {crowd.count} could not hang up: {sorted(set(map(str, refused)))}")
    found = records(test, crowd.calls)
    with verdicts.about("CDRs"):
        expect(len(found) == crowd.count, f"{crowd.count - len(found)} of {crowd.count} calls have no CDR")
        twice = [user for user, rows in found.items() if len(rows) != 1]
        expect(not twice, f"{len(twice)} calls have more than one CDR")
        ends = [rows[0]["end"] for rows in found.values() if rows[0]["end"] != "caller"]
        expect(not ends, f"{len(ends)} CDRs say {sorted(set(ends))}, every caller hung up itself")
        users = {call.user for call in moved}
        wrong = {(user in users, rows[0]["takeovers"], tuple(rows[0]["centers"])) for user, rows in found.items()
                 if rows[0]["takeovers"] != (1 if user in users else 0)
                 or len(rows[0]["centers"]) != (2 if user in users else 1)}
        expect(not wrong, f"(moved, takeovers, centers) in CDRs: {sorted(wrong)[:4]}")


def survive(test, frozen, count=CALLS):
    both_up(test)
    crowd = Crowd(test, test.system.endpoint("access-1"), count).wait_answered()
    victim, survivor = test.system.endpoint("center-a"), test.system.endpoint("center-b")
    moved, stayed = crowd.of(victim), crowd.of(survivor)
    expect(len(moved) >= count * 0.4 and len(stayed) >= count * 0.4, f"{len(moved)} and {len(stayed)} calls on the centers")
    before = test.system.metrics("center-b")
    places = positions(test, moved)
    LOOP.let_pass(1)
    crowd.restart_meters()
    verdicts = Verdicts()
    with contextlib.closing(NodeWatch(test, "center-a")) as watch, death_of(test, "center-a", frozen) as death:
        wait_moved(moved, 6)
        detected = watch.when(("down",), death.at, 5) - death.at
        LOOP.let_pass(max(0.5, 2.5 - death.since))
        if frozen:
            LOOP.let_pass(max(0.0, 6 - death.since))
            requests = Requests(test, crowd)
            death.thaw()
            woke = time.time()
            LOOP.let_pass(3)
            with verdicts.about("the old center after it woke"):
                requests.stop()
                late = sum(at >= woke for call in crowd.calls for at, _ in call.stream.meter.late)
                expect(late == 0, f"it sent {late} RTP packets for the old calls")
                expect(not requests.seen, f"it sent {len(requests.seen)} requests: {requests.seen[:3]}")
        judge_crowd(test, crowd, moved, stayed, death, verdicts)
        with verdicts.about("positions"):
            after = positions(test, moved)
            kept = sum(after.get(user) == place for user, place in places.items())
            test.note(f"positions kept: {kept} of {len(places)}")
            expect(kept == len(moved) == len(places), f"{kept} of {len(moved)} callers are where they were: "
                   f"{[(places[user], after.get(user)) for user in places if after.get(user) != places[user]][:3]}")
        sample = moved[len(moved) // 2]
        with verdicts.about("API"):
            story = next(call for call in test.api.get("/api/v1/calls") if number_of(call["from"]) == sample.user)
            expect((story["center"], story["takeovers"]) == ("center-b", 1), f"a moved call is shown as {story}")
            kinds = [event["kind"] for event in test.api.get(f"/api/v1/calls/{story['id']}")["timeline"]]
            expect("takeover" in kinds, f"no takeover in the timeline: {kinds}")
        with verdicts.about("metrics"):
            after = test.system.metrics("center-b")
            for name in ("tandem_takeover_calls_total", "tandem_takeover_seconds_count"):
                grown = (total(after, name) or 0) - (total(before, name) or 0)
                expect(grown == len(moved), f"{name} grew by {grown:.0f}, {len(moved)} calls were moved")
            spent = (total(after, "tandem_takeover_seconds_sum") or 0) - (total(before, "tandem_takeover_seconds_sum") or 0)
            test.note(f"detected after {detected:.2f} s; from the fence to the first packet {spent / len(moved) * 1000:.0f} ms in the mean")
        judge_records(test, crowd, moved, verdicts)
        with verdicts.about("new calls"):
            test.phone().dial(test.system.endpoint("access-1")).hang_up()
    verdicts.judge()


def positions(test, calls):
    """{calling number: line, menu state, language and login} as the API has them."""
    users = {call.user for call in calls}
    return {number_of(call["from"]): (call["line"], call["state"], call["language"], call["authenticated"])
            for call in test.api.get("/api/v1/calls") if number_of(call["from"]) in users}


class Requests:
    """Requests that the phones of a crowd get, besides those of a session that still lives at its present center."""

    def __init__(self, test, crowd):
        self.seen = []
        self._phones = crowd._phones
        for phone in self._phones:
            phone.on_request = lambda message, source: self.seen.append(repr(message))

    def stop(self):
        for phone in self._phones:
            phone.on_request = None


@scenario("takeover", system="pair", order=90)
@timed
def three_hundred_calls_outlive_their_center(test):
    """One of two centers is killed: none dropped, none silent, gap at most 1.5 s, every one hangs up, one CDR each."""
    survive(test, frozen=False)


@scenario("takeover", system="pair", order=91)
@timed
def three_hundred_calls_outlive_a_freeze_of_six_seconds(test):
    """The same with SIGSTOP; the old center says and sends nothing about them when it is back."""
    survive(test, frozen=True)


@scenario("takeover", system="pair", order=95)
@timed
def the_leading_master_dies_with_a_center(test):
    """The standby has its own verdicts: the callers wait no longer."""
    both_up(test)
    first = eventually(lambda: leader(test), 5, "leading master")
    other = "master-b" if first == "master-a" else "master-a"
    test.api.port = test.system.http(other)[1]
    crowd = Crowd(test, test.system.endpoint("access-1"), 60).wait_answered()
    moved, stayed = crowd.of(test.system.endpoint("center-a")), crowd.of(test.system.endpoint("center-b"))
    crowd.restart_meters()
    verdicts = Verdicts()
    Death(test, first)
    try:
        with death_of(test, "center-a") as death:
            wait_moved(moved, 8)
            LOOP.let_pass(max(0.5, 3 - death.since))
            judge_crowd(test, crowd, moved, stayed, death, verdicts)
            judge_records(test, crowd, moved, verdicts)
    finally:
        restore(test, first) if first not in test.system.restarted else test.system.restart(first)
    verdicts.judge()
