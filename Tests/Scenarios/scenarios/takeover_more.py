"""Deaths in a row, draining, too little room, and calls that were not answered yet."""

import signal
import time

from lib.crowd import Crowd, number_of, percentile, records
from lib.death import PROMISE, Verdicts, death_of, expect_no_late, in_time, land, leader, restore, timed
from lib.ear import Ear
from lib.loop import LOOP, Failure, eventually, expect, wait_for
from lib.scenario import scenario

HANDOVER = 0.2  # seconds of silence at a caller whose center drains
OVERLAP = 0.3  # seconds in which the one who gives and the one who takes may both speak


def all_up(test):
    for center in test.system.centers():
        test.api.wait_node(center, ("up", "ramping"), 30)


def wait_all_at(crowd, centers, seconds):
    """Waits until the target of every call that lives is one of these centers, and its audio flows."""
    def there():
        return all(call.state != "answered" or call.center in centers for call in crowd.calls)
    try:
        wait_for(there, seconds, "move of every call")
    except Failure:
        pass
    LOOP.let_pass(0.5)


def judge_alive(test, crowd, centers, verdicts, promise, overlap=0.0):
    gaps = crowd.gaps()
    values = [gap for gap, _ in gaps]
    now = time.time()
    with verdicts.about("calls"):
        dropped = sum(call.state != "answered" for call in crowd.calls)
        expect(not dropped, f"{dropped} of {crowd.count} calls were dropped")
        left = sum(call.center not in centers for call in crowd.calls)
        expect(not left, f"{left} of {crowd.count} calls were not moved")
        silent = sum(now - call.stream.meter.last > 0.5 for call in crowd.calls)
        expect(not silent, f"{silent} callers hear nothing")
        problems = [problem for call in crowd.calls for problem in call.problems]
        expect(not problems, "; ".join(problems[:3]))
        for call in crowd.calls:
            expect_no_late(call, overlap)
    test.note(f"{crowd.count} calls: gaps p50 {percentile(values, 50):.3f} s, max {max(values, default=0):.3f} s")
    with verdicts.about("gaps"):
        in_time(values and values[0] <= promise, f"longest gap {values[0] if values else 0:.2f} s, promised {promise} s")


def judge_ends(test, crowd, verdicts, takeovers):
    refused = crowd.hang_up()
    with verdicts.about("BYE"):
        expect(not refused, f"{len(refused)} of {crowd.count} could not hang up: {sorted(set(map(str, refused)))}")
    found = records(test, crowd.calls)
    with verdicts.about("CDRs"):
        expect(len(found) == crowd.count and all(len(rows) == 1 for rows in found.values()),
               f"{crowd.count} calls, {sum(map(len, found.values()))} CDRs of {len(found)}")
        ends = {rows[0]["end"] for rows in found.values()}
        expect(ends == {"caller"}, f"CDRs say {ends}")
        seen = {rows[0]["takeovers"] for rows in found.values()}
        expect(seen <= takeovers, f"takeovers in CDRs: {seen}, expected {takeovers}")
        wrong = [rows[0]["centers"] for rows in found.values() if len(rows[0]["centers"]) != rows[0]["takeovers"] + 1]
        expect(not wrong, f"centers in CDRs do not follow the takeovers: {wrong[:3]}")


@scenario("takeover", system="trio", order=93)
@timed
def two_deaths_in_a_row(test):
    """A dies, others take over, one of those dies, the last goes on: nothing is lost, and nobody waits longer for the second."""
    all_up(test)
    crowd = Crowd(test, test.system.endpoint("access-1"), 60).wait_answered()
    b, c = test.system.endpoint("center-b"), test.system.endpoint("center-c")
    verdicts = Verdicts()
    crowd.restart_meters()
    with death_of(test, "center-a"):
        wait_all_at(crowd, (b, c), 6)
        judge_alive(test, crowd, (b, c), verdicts, PROMISE)
        with verdicts.about("shares"):
            took = [sum(bool(call.moves) for call in crowd.of(center)) for center in (b, c)]
            expect(min(took) >= 3, f"the survivors took {took[0]} and {took[1]}")
        crowd.restart_meters()
        with death_of(test, "center-b"):
            wait_all_at(crowd, (c,), 6)
            judge_alive(test, crowd, (c,), verdicts, PROMISE)
            judge_ends(test, crowd, verdicts, {0, 1, 2})
    verdicts.judge()


@scenario("takeover", system="trio", order=94)
@timed
def the_taker_dies_half_way(test):
    """Killed at the first re-INVITE that a phone gets from it: what it had claimed and what it had not goes on at the third."""
    all_up(test)
    crowd = Crowd(test, test.system.endpoint("access-1"), 90).wait_answered()
    b, c = test.system.endpoint("center-b"), test.system.endpoint("center-c")
    verdicts = Verdicts()
    crowd.restart_meters()
    with death_of(test, "center-a"):
        wait_for(lambda: any(move.contact == b for call in crowd.calls for move in call.moves), 5, "re-INVITE from center-b")
        with death_of(test, "center-b"):
            wait_all_at(crowd, (c,), 8)
            judge_alive(test, crowd, (c,), verdicts, 2 * PROMISE)
            judge_ends(test, crowd, verdicts, {0, 1, 2})
    verdicts.judge()


@scenario("takeover", system="pair", order=80)
@timed
def draining_moves_live_calls(test):
    """`tandem drain`: every call goes on at the other center with a gap of at most 200 ms; `enable` brings the node back."""
    all_up(test)
    crowd = Crowd(test, test.system.endpoint("access-1"), 60).wait_answered()
    b = test.system.endpoint("center-b")
    verdicts = Verdicts()
    crowd.restart_meters()
    done = test.system.tandem("drain", "center-a", "--profiles", test.system.profiles, "--state", test.system.state)
    expect(done.returncode == 0, f"tandem drain ended with {done.returncode}: {done.stderr.strip()}")
    try:
        wait_all_at(crowd, (b,), 10)
        judge_alive(test, crowd, (b,), verdicts, HANDOVER, OVERLAP)
        judge_ends(test, crowd, verdicts, {0, 1})
    finally:
        test.system.tandem("enable", "center-a", "--profiles", test.system.profiles, "--state", test.system.state)
    verdicts.judge()


@scenario("takeover", system="trio", order=95)
@timed
def sigterm_moves_live_calls_and_ends_with_status_0(test):
    """A process that is told to end hands its calls over and is gone, with no call lost."""
    all_up(test)
    pid = test.system.pid("center-c")
    test.system.kill("center-c")
    eventually(lambda: test.api.nodes()["center-c"]["state"] == "down", 5, "center-c down")
    test.system.restart("center-c")
    expect(test.system.pid("center-c") != pid, "the same process")
    all_up(test)
    crowd = Crowd(test, test.system.endpoint("access-1"), 60).wait_answered()
    others = [test.system.endpoint(center) for center in ("center-a", "center-b")]
    verdicts = Verdicts()
    crowd.restart_meters()
    process = test.system.restarted["center-c"]
    test.system.kill("center-c", signal.SIGTERM)
    try:
        wait_all_at(crowd, others, 10)
        judge_alive(test, crowd, others, verdicts, HANDOVER, OVERLAP)
        with verdicts.about("process"):
            eventually(lambda: process.poll() is not None, 15, "end of the process after SIGTERM")
            expect(process.returncode == 0, f"it ended with {process.returncode}")
        judge_ends(test, crowd, verdicts, {0, 1})
    finally:
        restore(test, "center-c")
    verdicts.judge()


@scenario("takeover", system="tight", order=90)
@timed
def what_does_not_fit_is_lost_with_an_alarm(test):
    """Ten calls of a dead center, room for four: the four oldest go on, six records say lost, and an alarm says so."""
    all_up(test)
    access = test.system.endpoint("access-1")
    phones = [test.phone() for _ in range(18)]

    def one(phone, center):
        return land(test, center, lambda: phone.dial(access, "9664", seconds=10, ear=Ear(phone.ip)))
    eight = [one(phone, "center-b") for phone in phones[:8]]
    ten = [one(phone, "center-a") for phone in phones[8:]]
    oldest = ten[:4]
    began = {call.user: call.answered_at for call in ten}
    expect(sorted(began.values()) == list(began.values()), "the calls were not answered in this order")
    LOOP.let_pass(0.5)
    verdicts = Verdicts()
    with death_of(test, "center-a") as death:
        LOOP.let_pass(max(0.0, 4 - death.since))
        moved = [call for call in ten if call.moves and call.center == test.system.endpoint("center-b")]
        with verdicts.about("the oldest"):
            expect(moved == oldest, f"moved were numbers {[ten.index(call) for call in moved]} of ten by age")
        with verdicts.about("records"):
            lost = eventually(lambda: len(rows := records_of_lost(test, ten)) >= 6 and rows, 10,
                              lambda: f"six CDRs that say lost ({len(records_of_lost(test, ten))} do)")
            expect({number_of(row["from"]) for row in lost} == {call.user for call in ten[4:]}, f"{len(lost)} are lost")
        with verdicts.about("alarm"):
            test.api.port = test.system.http(eventually(lambda: leader(test), 5, "leading master"))[1]
            eventually(lambda: any(alarm["code"] == "calls-lost" for alarm in test.api.get("/api/v1/alarms")), 5,
                       lambda: f"alarm calls-lost ({test.api.get('/api/v1/alarms')})")
        with verdicts.about("those who fit"):
            for call in oldest + eight:
                expect(call.state == "answered" and time.time() - call.stream.meter.last < 0.5, "a caller who fits hears nothing")
                call.hang_up()
    verdicts.judge()


def records_of_lost(test, calls):
    users = {call.user for call in calls}
    return [row for row in test.api.get("/api/v1/cdrs?limit=1000") if row["end"] == "lost" and number_of(row["from"]) in users]


@scenario("takeover", system="trio", order=96)
@timed
def calls_not_answered_yet_go_to_another_center(test):
    """A frozen center gets INVITEs and says nothing: they are answered elsewhere, and a CANCEL meanwhile is obeyed."""
    all_up(test)
    access = test.system.endpoint("access-1")
    patient = [test.phone() for _ in range(9)]
    hasty = [test.phone() for _ in range(9)]
    verdicts = Verdicts()
    with death_of(test, "center-a", frozen=True) as death:
        calls = [phone.call(access, "9664", media=False) for phone in patient]
        given_up = [phone.call(access, "9664", media=False) for phone in hasty]
        LOOP.let_pass(0.1)
        cancels = [(call, call.cancel()) for call in given_up if call.state == "calling"]
        wait_for(lambda: all(call.state != "calling" for call in calls + given_up), 6,
                 lambda: f"end of every INVITE ({sum(c.state == 'calling' for c in calls)} and {sum(c.state == 'calling' for c in given_up)} open)")
        with verdicts.about("callers who wait"):
            refused = [call.status for call in calls if call.state != "answered"]
            expect(not refused, f"{len(refused)} of {len(calls)} were not answered: {refused}")
            slowest = max(call.answer_delay for call in calls if call.answer_delay)
            in_time(slowest <= PROMISE, f"the slowest answer took {slowest:.2f} s")
        with verdicts.about("callers who gave up"):
            expect(cancels, "every call was answered within 100 ms: no INVITE went to the frozen center")
            for call, cancel in cancels:
                expect(cancel.final is not None and cancel.final.status == 200, f"CANCEL was answered {cancel.final}")
                # The answer may have crossed the CANCEL (RFC 3261 §9.1); then it is a call like any other.
                expect(call.state == "answered" or call.status == 487, f"INVITE was answered {call.status}")
            expect(any(call.status == 487 for call, _ in cancels), "no INVITE was answered 487")
        for call in calls + given_up:
            if call.state == "answered":
                call.hang_up()
        with verdicts.about("sessions"):
            users = {call.user for call in calls + given_up}
            eventually(lambda: not [one for one in test.api.get("/api/v1/calls") if number_of(one["from"]) in users], 5,
                       "end of every session")
        death.thaw()
    verdicts.judge()
