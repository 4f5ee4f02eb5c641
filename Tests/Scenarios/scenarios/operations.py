"""What an operator relies on: API, health, metrics, profiles, menus, the command line."""

import csv
import io
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3

from lib import profiles
from lib.api import health, http, metrics, total
from lib.customer import Customer
from lib.loop import LOOP, Failure, eventually, expect
from lib.scenario import scenario
from lib.system import ACCESS, CENTER_A, CENTER_B, HTTP, SHIPPED, tandem


@scenario("operations", order=10)
def every_node_is_healthy(test):
    for node, port in HTTP.items():
        reply = health(port)
        expect(reply.status == 200, f"{node}: /health is {reply.status}: {reply.text[:200]}")
        expect(not reply.json.get("degraded"), f"{node}: degraded {reply.json.get('degraded')}")
    for master in ("master-a", "master-b"):
        expect("alarm=node-down" not in test.system.log(master), f"{master} raised an alarm about a node that was only starting")


@scenario("operations", order=10)
def the_api_wants_its_token(test):
    for path in ("/api/v1/nodes", "/api/v1/calls", "/api/v1/cdrs", "/api/v1/calls/x"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
            reply = http(8080, path, headers=headers)
            expect(reply.status == 401, f"GET {path} with {headers or 'no token'} was answered {reply.status}")
            expect(reply.json["error"]["code"] and reply.json["error"]["message"], "an error without code and message")
    reply = http(8080, "/api/v1/nodes/center-b/drain", "POST")
    expect(reply.status == 401, f"drain without token was answered {reply.status}")
    mode = (test.system.state / "secrets" / "api-token").stat().st_mode & 0o777
    expect(mode == 0o600, f"the token file has mode {mode:o}")


@scenario("operations", order=10)
def errors_of_the_api_say_what_is_wrong(test):
    for path, method, statuses in (("/api/v1/calls/00000000-0000-4000-8000-000000000000", "GET", (404,)), ("/api/v1/nothing", "GET", (404,)),
                                   ("/api/v1/nodes/nobody/drain", "POST", (404,)), ("/api/v1/cdrs?limit=x", "GET", (400,))):
        reply = test.api.ask(path, method)
        expect(reply.status in statuses, f"{method} {path} was answered {reply.status}")
        expect(reply.json["error"]["code"] and reply.json["error"]["message"], f"{path}: {reply.text[:200]}")


@scenario("operations", order=10)
def nodes_are_shown(test):
    nodes = test.api.nodes()
    expect(set(nodes) >= {"access-1", "center-a", "center-b"}, f"nodes {sorted(nodes)}")
    for node in nodes.values():
        missing = {"name", "role", "state", "reason", "since", "incarnation", "calls", "limit", "latency_ms"} - set(node)
        expect(not missing, f"{node['name']} lacks {missing}")
        expect(node["state"] in ("up", "ramping"), f"{node['name']} is {node['state']}: {node['reason']}")
    expect(nodes["center-a"]["role"] == "center" and nodes["center-a"]["limit"] == 2000, f"{nodes['center-a']}")
    expect(nodes["center-a"]["incarnation"], "no incarnation")


@scenario("operations", order=12)
def a_call_is_shown_while_it_lives_and_after(test):
    phone = test.phone()
    call = phone.dial(CENTER_B, "9664")
    live = test.api.wait_live(phone.user)
    missing = {"id", "line", "from", "center", "started", "menu", "state", "language", "authenticated", "takeovers"} - set(live)
    expect(not missing, f"the call lacks {missing}")
    expect(live["line"] == "9664" and live["center"] == "center-b" and live["takeovers"] == 0, f"{live}")
    expect(test.api.get(f"/api/v1/calls/{live['id']}")["id"] == live["id"], "the call by its id")
    LOOP.let_pass(1)
    call.hang_up()
    record = test.api.cdr(live["id"])
    for key in ("id", "line", "from", "centers", "started", "answered", "ended", "duration_s", "end", "path", "takeovers"):
        expect(key in record, f"the record lacks {key}")
    for key in ("started", "answered", "ended"):
        expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record[key]), f"{key} is {record[key]}")
    expect(record["started"] <= record["answered"] <= record["ended"], "times out of order")
    expect(0.9 <= record["duration_s"] <= 2.5, f"duration {record['duration_s']} s of a call of 1 s")
    expect(record["end"] == "caller" and record["centers"] == ["center-b"] and record["takeovers"] == 0, f"{record}")
    eventually(lambda: test.api.live(phone.user) is None, 2, "end of the call in the list of live calls")
    expect(test.api.get(f"/api/v1/calls/{live['id']}")["timeline"][-1]["kind"] == "end", "an ended call is not served by its id")


@scenario("operations", order=13)
def records_come_newest_first_and_in_pages(test):
    ids = []
    for _ in range(4):
        phone = test.phone()
        call = phone.dial(CENTER_A, "9664")
        ids.append(test.api.wait_live(phone.user)["id"])
        call.hang_up()
        test.api.cdr(ids[-1])
    first = test.api.get("/api/v1/cdrs?limit=2")
    expect(len(first) == 2, f"{len(first)} records for limit=2")
    ends = [record["ended"] for record in test.api.get("/api/v1/cdrs?limit=50")]
    expect(ends == sorted(ends, reverse=True), "records are not newest first")
    page = test.api.get(f"/api/v1/cdrs?limit=50&before={first[1]['id']}")
    seen = {record["id"] for record in page}
    expect(not seen & {record["id"] for record in first}, "a record is on two pages")
    expect(seen & set(ids), "the second page lacks older records")


@scenario("operations", order=14)
def the_command_line_tells_the_same(test):
    state = ("--state", test.system.state)
    phone = test.phone()
    call = phone.dial(CENTER_A, "9664")
    live = test.api.wait_live(phone.user)
    for command, key, wanted in ((("status",), "name", "center-a"), (("calls",), "id", live["id"])):
        done = test.system.tandem(*command, "--json", *state)
        expect(done.returncode == 0, f"tandem {command[0]} --json: {done.returncode} {done.stderr[:200]}")
        expect(wanted in [row[key] for row in json.loads(done.stdout)], f"tandem {command[0]} --json lacks {wanted}")
        table = test.system.tandem(*command, *state)
        expect(table.returncode == 0 and wanted in table.stdout and "\x1b" not in table.stdout, f"tandem {command[0]}: {table.stdout[:200]}")
    done = test.system.tandem("call", live["id"], "--json", *state)
    expect(json.loads(done.stdout)["id"] == live["id"], "tandem call")
    call.hang_up()
    test.api.cdr(live["id"])
    done = test.system.tandem("cdr", "--json", *state)
    expect(live["id"] in [row["id"] for row in json.loads(done.stdout)], "tandem cdr --json lacks the call")
    rows = list(csv.DictReader(io.StringIO(test.system.tandem("cdr", "--csv", *state).stdout)))
    expect(live["id"] in [row["id"] for row in rows], "tandem cdr --csv lacks the call")
    done = test.system.tandem("call", "nobody", *state)
    expect(done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, f"tandem call nobody: {done.returncode} {done.stderr!r}")


@scenario("operations", order=15)
def metrics_move(test):
    before = {node: metrics(port) for node, port in HTTP.items()}
    call = test.phone().dial(ACCESS, "9664")
    center = "center-a" if call.center_port == 5081 else "center-b"
    LOOP.let_pass(1)
    during = metrics(HTTP[center])
    expect(total(during, "tandem_calls_active") >= 1, "tandem_calls_active is 0 during a call")
    call.hang_up()
    other = test.phone().call(CENTER_A if center == "center-a" else CENTER_B, "12345")
    other.wait_failed()

    def moved(node, name, **labels):
        def check():
            now = total(metrics(HTTP[node]), name, **labels)
            return now is not None and now > (total(before[node], name, **labels) or 0)
        return eventually(check, 3, f"move of {name}{labels or ''} at {node}")
    moved(center, "tandem_calls_total")
    moved(center, "tandem_setup_seconds_count")
    moved(center, "tandem_sip_messages_total", method="INVITE")
    moved(center, "tandem_sip_messages_total", method="BYE")
    moved(center, "tandem_sip_rejected_total")
    moved(center, "tandem_rtp_packets_total")
    moved(center, "tandem_store_batch_seconds_count")
    moved("access-1", "tandem_sip_messages_total", method="INVITE")
    directions = {dict(labels).get("direction") for (name, labels) in metrics(HTTP[center]) if name == "tandem_rtp_packets_total"}
    expect(len(directions) == 2, f"directions of tandem_rtp_packets_total: {directions}")
    for node in HTTP:
        loops = labels_of(node, "tandem_mailbox_depth", "loop")
        wanted = {"sip", "media"} if node.startswith("center") else {"sip"}
        expect(loops == wanted, f"{node}: tandem_mailbox_depth has the loops {sorted(loops)}")
    for master in ("master-a", "master-b"):
        nodes = labels_of(master, "tandem_node_up", "node")
        expect(nodes == set(HTTP), f"{master}: tandem_node_up has the nodes {sorted(nodes)}")
        for node in nodes:
            expect(total(metrics(HTTP[master]), "tandem_node_up", node=node) == 1, f"{master}: tandem_node_up of {node} is not 1")


def labels_of(node, name, label):
    """The values of one label of a metric at a node."""
    return {dict(labels).get(label) for (found, labels) in metrics(HTTP[node]) if found == name}


def answering_centers(test, calls=12):
    ports = []
    for _ in range(calls):
        phone = test.phone()
        call = phone.dial(ACCESS, "9664")
        ports.append(call.center_port)
        call.hang_up()
        phone.close()
    return set(ports)


@scenario("operations", order=80)
def drain_disable_enable(test):
    expect(answering_centers(test, 20) == {5081, 5082}, "before: calls through access do not reach both centers")
    held = test.phone().dial(CENTER_B, "9664")
    try:
        for verb, state in (("drain", "draining"), ("disable", "disabled")):
            reply = test.api.ask(f"/api/v1/nodes/center-b/{verb}", "POST")
            expect(reply.status == 202, f"{verb} was answered {reply.status}: {reply.text[:200]}")
            test.api.wait_node("center-b", state, 3)
            eventually(lambda: answering_centers(test, 6) == {5081}, 5, f"calls going to center-a alone after {verb}")
        expect(held.state == "answered", "a live call was cut by the drain")
    finally:
        test.api.ask("/api/v1/nodes/center-b/enable", "POST")
    test.api.wait_node("center-b", ("up", "ramping"), 5)
    eventually(lambda: 5082 in answering_centers(test, 6), 20, "calls reaching center-b after enable")
    held.hang_up()
    done = test.system.tandem("drain", "center-b", "--state", test.system.state)
    expect(done.returncode == 0, f"tandem drain: {done.returncode} {done.stderr[:200]}")
    test.api.wait_node("center-b", "draining", 3)
    done = test.system.tandem("enable", "center-b", "--state", test.system.state)
    expect(done.returncode == 0, f"tandem enable: {done.returncode} {done.stderr[:200]}")
    test.api.wait_node("center-b", ("up", "ramping"), 5)


@scenario("operations", order=85)
def sighup_takes_a_good_menu_and_refuses_a_broken_one(test):
    """The change: the digits of the two languages are exchanged."""
    menu = profiles.menu(test.system.profiles)
    good = menu.read_text()
    pid = test.system.pid("center-a")

    def language_of(digit):
        phone = test.phone()
        call = phone.dial(CENTER_A)
        test.api.wait_state(phone.user, "language")
        call.stream.press(digit)
        live = test.api.wait_state(phone.user, "main")
        call.hang_up()
        phone.close()
        return live["language"]
    try:
        before = language_of("2")
        size = len(test.system.log("center-a"))
        menu.write_text(good + "\nstates: [this, is: {no menu\n")
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: "menu" in test.system.log("center-a")[size:].lower(), 5, "line in the log about the refused menu")
        expect(language_of("2") == before, "a broken menu was taken")
        menu.write_text(swapped_languages(good))
        checked = tandem("menu", "check", menu)
        expect(checked.returncode == 0, f"the swapped menu is not sound by itself: {(checked.stdout + checked.stderr)[:300]}")
        os.kill(pid, signal.SIGHUP)
        eventually(lambda: language_of("2") != before, 6, "changed menu in a new call after SIGHUP")
    finally:
        menu.write_text(good)
        os.kill(pid, signal.SIGHUP)
    eventually(lambda: language_of("2") == before, 6, "the old menu again")


def swapped_languages(text):
    """Exchanges the branches of digits 1 and 2 in the state `language`."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if re.match(r"\s*language:\s*(#.*)?$", line))
    indent = len(lines[start]) - len(lines[start].lstrip())
    changed = 0
    for n in range(start + 1, len(lines)):
        line = lines[n]
        if line.strip() and not line.lstrip().startswith("#") and len(line) - len(line.lstrip()) <= indent:
            break
        found = re.match(r'(\s*(?:- )?["\']?)([12])(["\']?\s*:.*)$', line)
        if found:
            lines[n] = found.group(1) + {"1": "2", "2": "1"}[found.group(2)] + found.group(3)
            changed += 1
    if changed != 2:
        raise Failure(f"the state 'language' of the shipped menu has {changed} branches for 1 and 2 that this test can see")
    return "\n".join(lines) + "\n"


@scenario("operations", order=86)
def a_locked_store_stops_no_call(test):
    """The database file is locked by somebody else: calls go on, bank operations are not available, /health says why."""
    running = Customer(test, "10000120").login()
    lock = sqlite3.connect(test.system.state / "tandem.sqlite", timeout=10, isolation_level=None)
    try:
        lock.execute("PRAGMA busy_timeout = 10000")
        lock.execute("BEGIN EXCLUSIVE")
        mark = running.call.stream.mark()
        phone = test.phone()
        call = phone.dial(CENTER_A, "9664", seconds=2)
        expect(call.answer_delay < 1.0, f"an answer took {call.answer_delay:.2f} s without the store")
        through = test.phone().dial(ACCESS, "95533", seconds=2)
        eventually(lambda: health(HTTP["center-a"]).json.get("degraded"), 10, "word in /health of center-a that it is degraded")
        expect(health(HTTP["center-a"]).status == 200, "/health does not say that calls are still served")
        running.press("3")
        LOOP.let_pass(0.5)
        running.press("10000121")
        LOOP.let_pass(3)
        report = running.call.stream.report(mark)
        expect(report.gap_max < 0.3 and report.sequence_errors == 0, f"audio stood still for {report.gap_max * 1000:.0f} ms")
        for one in (running.call, call, through):
            expect(one.state == "answered", "a call ended while the store was locked")
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    for one in (running.call, call, through):
        one.hang_up()
    eventually(lambda: not health(HTTP["center-a"]).json.get("degraded"), 15, "end of the degraded state")
    Customer(test, "10000122").login().hang_up()
    for node in HTTP:
        expect(node not in test.system.dead(), f"{node} died over a locked store")


@scenario("operations", order=50)
def a_port_in_use_is_said_clearly(test):
    done = tandem("center", "--profile", test.system.profiles / "center-a.yaml", "--state", test.folder / "state")
    expect(done.returncode == 2, f"exit {done.returncode}, 2 was expected")
    lines = done.stderr.strip().splitlines()
    expect(len(lines) == 1 and re.search(r"508|8081|1000", lines[0]), f"stderr: {done.stderr[:300]!r}")
    done = test.system.tandem("up", "--profiles", test.system.profiles, "--state", test.folder / "other", seconds=60)
    expect(done.returncode != 0, "a second system on the same ports came up")


@scenario("operations", system=None)
def wrong_usage_is_exit_2(test):
    for arguments in (("nonsense",), ("center",), ("center", "--profile", "/nowhere.yaml"), ("up", "--profiles", "/nowhere"),
                      ("callers",), ("menu", "check", "/nowhere.yaml"), ("profile", "check", "/nowhere.yaml")):
        done = tandem(*arguments, cwd=test.folder)
        expect(done.returncode == 2, f"tandem {' '.join(arguments)}: exit {done.returncode}, 2 was expected")
        expect(done.stderr.strip(), f"tandem {' '.join(arguments)} says nothing on stderr")
    expect(tandem("--help").returncode == 0, "tandem --help")


@scenario("operations", system=None)
def profile_problems_are_all_named(test):
    folder = test.folder / "profiles"
    shutil.copytree(SHIPPED, folder)
    shipped = sorted(str(file) for file in folder.glob("*.yaml"))
    done = tandem("profile", "check", *shipped)
    expect(done.returncode == 0, f"the shipped profiles are refused: {(done.stdout + done.stderr)[:300]}")
    file = folder / "center-a.yaml"
    profiles.change(file, "media.ports", "70000-80000")
    profiles.change(file, "limits.cals", "7")
    profiles.change(file, "limits.calls", "many")
    profiles.change(file, "sip.listen", '["127.0.0.1"]')
    for command in (("profile", "check", file), ("center", "--profile", file, "--state", test.folder / "state")):
        done = tandem(*command)
        said = done.stderr + (done.stdout if command[0] == "profile" else "")
        expect(done.returncode == 2 if command[0] == "center" else done.returncode in (1, 2), f"{command[0]}: exit {done.returncode}")
        for path, found in (("media.ports", "70000-80000"), ("limits.cals", None), ("limits.calls", "many"), ("sip.listen", "127.0.0.1")):
            line = next((one for one in said.splitlines() if path in one), None)
            expect(line, f"{command[0]}: {path} is not named in {said[:400]!r}")
            expect(found is None or (found in line and "expected" in line), f"{path}: {line}")
    file.write_text("role: center\n  name: [\n")
    done = tandem("center", "--profile", file, "--state", test.folder / "state")
    expect(done.returncode == 2 and done.stderr.strip(), f"a file that is no YAML: exit {done.returncode}")


@scenario("operations", system=None)
def menu_problems_have_file_and_line(test):
    shutil.copytree(SHIPPED, test.folder / "profiles")
    menu = profiles.menu(test.folder / "profiles")
    done = tandem("menu", "check", menu)
    expect(done.returncode == 0, f"the shipped menu is refused: {(done.stdout + done.stderr)[:300]}")
    drawn = tandem("menu", "draw", menu, cwd=test.folder)
    expect(drawn.returncode == 0 or "raphviz" in drawn.stderr, f"tandem menu draw: {drawn.returncode} {drawn.stderr[:200]}")
    expect(tandem("menu", "test", menu, cwd=test.folder, seconds=60).returncode == 0, "tandem menu test of the shipped menu")
    text = menu.read_text()
    menu.write_text(text.replace("go: main", "go: nowhere", 1))
    done = tandem("menu", "check", menu)
    expect(done.returncode in (1, 2), f"a menu with a branch to nowhere: exit {done.returncode}")
    expect(re.search(re.escape(menu.name) + r":\d+", done.stderr + done.stdout), f"no file:line in {(done.stderr + done.stdout)[:300]!r}")


@scenario("operations", order=88)
def logs_are_readable(test):
    """At info one line a call at most (STYLE); after some hundred calls that is easily seen."""
    log = test.system.log("center-a")
    expect(log.strip(), "center-a logged nothing")
    records = test.api.get("/api/v1/cdrs?limit=1000")
    lines = len(log.splitlines())
    expect(lines < 3 * len(records) + 300, f"{lines} lines for {len(records)} calls")
    expect("Fatal error" not in log and "precondition" not in log.lower(), "the log tells of a broken promise")
    expect(pathlib.Path(test.system.state / "tandem.sqlite").exists(), "no store")
