"""Nodes that come back: restarted in turn by `tandem roll`, or because Tandem itself killed them."""

import subprocess
import threading
import time

from lib.api import health
from lib.crowd import Crowd, records
from lib.death import in_time, timed
from lib.loop import LOOP, Failure, eventually, expect
from lib.scenario import scenario
from lib.system import TANDEM, alive

from . import SYSTEMS, derived


def rolled(folder):
    """Two centers and two masters, at an address of their own."""
    derived.pair(folder)


rolled.address = "127.0.55.9"
SYSTEMS["rolled"] = rolled


def supervised_pid(test, node):
    return int((test.system.state / "run" / f"{node}.pid").read_text().split()[0])


def serves(test, node):
    """Whether its own process answers its health page now."""
    try:
        return alive_now(test, node) and health(*reversed(test.system.http(node))).status == 200
    except (Failure, OSError):
        return False


def serves_again(test, node, former):
    def check():
        try:
            return supervised_pid(test, node) != former and health(*reversed(test.system.http(node))).status == 200
        except (Failure, OSError, IndexError):
            return False
    eventually(check, 30, f"{node} serving again")
    test.system.settle(node)


@scenario("roll", system="rolled", order=10)
def a_rolling_restart_loses_no_new_call(test):
    """Every process is another one afterwards, one at a time, and calls are answered all the while."""
    former = {node: supervised_pid(test, node) for node in test.system.nodes()}
    expect({"master-a", "master-b", "center-a", "center-b", "access-1"} <= set(former), f"nodes {sorted(former)}")
    for node in former:
        test.system.expected_down.add(node)
    down_together = []
    over = threading.Event()

    def watch():
        while not over.wait(0.05):
            gone = [node for node in former if node.startswith("center") and not alive_now(test, node)]
            if len(gone) > 1:
                down_together.append(gone)
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    rolling = subprocess.Popen(
        [TANDEM, "roll", "--state", test.system.state, "--profiles", test.system.profiles, "--wait", "60"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    answered, lost = 0, []
    try:
        while rolling.poll() is None:
            # While access itself is away nobody can be reached: what counts is every other moment.
            was_there = serves(test, "access-1") and supervised_pid(test, "access-1")
            phone = test.phone()
            try:
                call = phone.dial(test.system.endpoint("access-1"), "9664")
                answered += 1
                call.hang_up()
            except Failure as failure:
                # It answers 503 from its SIGTERM on, for the moment until it ends.
                time.sleep(1)
                if was_there and serves(test, "access-1") and supervised_pid(test, "access-1") == was_there:
                    lost.append(str(failure))
            finally:
                phone.close()
            time.sleep(0.05)
    finally:
        said, problem = rolling.communicate(timeout=90)
        over.set()
        watching.join()
        for node in former:
            test.system.settle(node)
    expect(rolling.returncode == 0, f"tandem roll: exit {rolling.returncode}: {problem.strip()[:400]} after {said.strip()[-300:]!r}")
    order = said.strip().splitlines()[-1].removeprefix("rolled: ").split(", ")
    masters = [node for node in order if node.startswith("master")]
    expect(order[0] == masters[0] and order[-1] == masters[1], f"rolled in the order {order}")
    same = [node for node, pid in former.items() if supervised_pid(test, node) == pid]
    expect(not same, f"not restarted: {same}")
    expect(not down_together, f"both centers were down at once: {down_together[:3]}")
    expect(answered >= 20 and not lost, f"{answered} calls answered, {len(lost)} not, while nodes were restarted: {lost[:3]}")
    nodes = test.api.nodes()
    expect(all(node["state"] in ("up", "ramping") for node in nodes.values()), f"{nodes}")


def alive_now(test, node):
    try:
        return alive(supervised_pid(test, node))
    except (OSError, IndexError):
        return False


@scenario("roll", system="rolled", order=15)
@timed
def calls_that_are_up_outlive_a_rolling_restart(test):
    """Every node is another process afterwards; none of the callers was dropped or heard more than 200 ms of nothing."""
    for node in test.system.nodes():
        test.system.expected_down.add(node)
    crowd = Crowd(test, test.system.endpoint("access-1"), 40).wait_answered()
    LOOP.let_pass(1)
    crowd.restart_meters()
    done = test.system.tandem("roll", "--state", test.system.state, "--profiles", test.system.profiles, "--wait", "60", seconds=240)
    for node in test.system.nodes():
        test.system.settle(node)
    expect(done.returncode == 0, f"tandem roll: exit {done.returncode}: {done.stderr.strip()[:300]}")
    LOOP.let_pass(1)
    dropped = [call for call in crowd.calls if call.state != "answered"]
    expect(not dropped, f"{len(dropped)} of {crowd.count} calls were dropped")
    gaps = [gap for gap, _ in crowd.gaps()]
    test.note(f"{crowd.count} calls, each moved {min(len(c.moves) for c in crowd.calls)} to {max(len(c.moves) for c in crowd.calls)} "
              f"times: longest gap {gaps[0] * 1000:.0f} ms")
    expect(all(call.moves for call in crowd.calls), "a call stayed where it was while its center was restarted")
    refused = crowd.hang_up()
    expect(not refused, f"{len(refused)} callers could not hang up: {refused[:3]}")
    found = records(test, crowd.calls)
    wrong = [rows for rows in found.values() if len(rows) != 1 or rows[0]["end"] != "caller"]
    expect(len(found) == crowd.count and not wrong, f"{len(found)} records, of them wrong: {wrong[:2]}")
    in_time(gaps[0] <= 0.2, f"longest gap {gaps[0] * 1000:.0f} ms")


@scenario("roll", system="rolled", order=20)
def a_roll_without_its_supervisor_says_so(test):
    done = test.system.tandem("roll", "--state", test.folder / "nowhere", "--profiles", test.system.profiles)
    expect(done.returncode == 1, f"exit {done.returncode}, 1 was expected")
    expect(len(done.stderr.strip().splitlines()) == 1, f"stderr: {done.stderr[:300]!r}")


@scenario("roll", system="rolled", order=30)
def what_tandem_killed_comes_back_and_what_others_killed_stays_down(test):
    former = test.system.pid("center-b")
    note = test.system.state / "run" / "center-b.killed"
    note.write_text(f"{former}\n")
    test.system.kill("center-b")
    serves_again(test, "center-b", former)
    expect(not note.exists(), "the note was not taken away")
    # A note for another process is no reason to come back.
    former = test.system.pid("center-b")
    note.write_text("1\n")
    test.system.kill("center-b")
    eventually(lambda: not note.exists(), 10, "the old note being taken away")
    expect(not alive(former) and not alive_now(test, "center-b"), "center-b came back by a note for another process")
    test.system.restart("center-b")
