#!/usr/bin/env python3
"""Real processes under load while nodes are killed, frozen and cut off at random: is any call, yuan or record lost?

    chaos.py --seconds 60             random seed, printed
    chaos.py --seconds 60 --seed 7    the same faults at the same moments (the machine's timing is its own)
    chaos.py --loopback               without network namespaces: kills and freezes only

As root each node is a host in a network namespace of its own, and wires between hosts are cut too. One fault at a time;
the next comes when every node is back in use. Exit 1 when something that was promised is broken.
"""

import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lib import faults, system  # noqa: E402
from lib.api import API  # noqa: E402
from lib.crowd import number_of, percentile  # noqa: E402
from lib.hosts import Hosts, Wires, may_make_namespaces  # noqa: E402
from lib.load import Listeners, LiveCalls, Payments  # noqa: E402
from lib.loop import LOOP, Failure, eventually  # noqa: E402
from lib.starved import Starvation  # noqa: E402
from scenarios import derived  # noqa: E402

NODES = ("access-1", "master-a", "master-b", "center-a", "center-b", "center-c")
PROMISE = 1.5
FIRST_RESPONSE = 0.25  # seconds; who waited longer for its answer may have been tried at two centers
LEARNS = 1.5  # seconds in which a center that reaches the store learns there that it is fenced


def main():
    parser = argparse.ArgumentParser(description="Kills, freezes and cuts under load; judges calls, money and records.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--rate", type=float, default=3, help="new listening calls a second")
    parser.add_argument("--payers", type=int, default=6, help="customers who transfer at the same time")
    parser.add_argument("--bulk", type=float, default=2, help="new calls a second of `tandem callers` besides; 0: none")
    parser.add_argument("--loopback", action="store_true", help="no network namespaces")
    parser.add_argument("--keep", action="store_true", help="keep logs and state also when all is well")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    if not system.TANDEM.exists():
        print(f"{system.TANDEM} is missing: run 'make build' first", file=sys.stderr)
        return 2
    if options.inside:
        return run(options, Wires([*NODES, "callers"], options.inside))
    if options.loopback or not may_make_namespaces():
        print("nodes on loopback: kills and freezes" + ("" if options.loopback else "; cutting wires needs root and 'ip netns'"))
        return run(options, None)
    wires = Wires([*NODES, "callers"])
    try:
        wires.make()
        # This process's phones live on the callers' host.
        command = ["ip", "netns", "exec", wires.name("callers"), sys.executable, __file__, "--inside", wires.prefix,
                   f"--seconds={options.seconds}", f"--seed={options.seed}", f"--rate={options.rate}", f"--payers={options.payers}",
                   f"--bulk={options.bulk}",
                   *(["--keep"] if options.keep else [])]
        return subprocess.run(command).returncode
    except KeyboardInterrupt:
        return 1
    finally:
        wires.remove()


def run(options, wires):
    source = random.Random(options.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tandem-chaos-"))
    print(f"seed {options.seed}, {options.seconds:.0f} s" + (", a network namespace a node" if wires else ""), flush=True)
    hosts = Hosts(folder, NODES, wires)
    chaos = Chaos(options, hosts, wires, source)
    broken = ["the run did not come to its end"]
    try:
        hosts.prepare(derived.trio)
        chaos.start()
        broken = chaos.run()
    except Failure as failure:
        broken = [str(failure)]
    except KeyboardInterrupt:
        broken = ["interrupted"]
    finally:
        hosts.stop()
    for one in broken:
        print(f"BROKEN: {one}")
    if broken or options.keep:
        print(f"logs and state are kept in {folder}; again with --seed {options.seed}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print("chaos: " + (f"{len(broken)} broken" if broken else "nothing broken"))
    return 1 if broken else 0


class Chaos:
    def __init__(self, options, hosts, wires, source):
        self.options, self.hosts, self.wires, self.source = options, hosts, wires, source
        self.ip = wires.addresses["callers"] if wires else "127.0.0.1"
        self.faults, self.starved = [], []
        self.apis = []
        self.bulk, self.tried_twice = set(), set()

    def start(self):
        hosts = self.hosts
        prompts = system.tandem("prompts", "build", "--profiles", hosts.profiles, "--state", hosts.state, seconds=240)
        if prompts.returncode != 0:
            raise Failure(f"tandem prompts build: {prompts.stderr.strip()[:300]}")
        for node in NODES:
            hosts.start(node)
        for node in NODES:
            hosts.wait_serving(node)
        self.apis = [API(hosts.state, hosts.http(node)[1], hosts.http(node)[0]) for node in ("master-a", "master-b")]
        self.wait_all_up(30)

    def ask(self, path):
        problem = None
        for api in list(self.apis):
            try:
                return api.get(path)
            except (Failure, OSError) as failure:
                problem = failure
                self.apis.remove(api)
                self.apis.append(api)
        raise Failure(f"no master answers: {problem}")

    def leader(self):
        for node in ("master-a", "master-b"):
            try:
                address, port = self.hosts.http(node)
                nodes = API(self.hosts.state, port, address).nodes()
                if str(nodes[node]["reason"]).startswith("leads"):
                    return node
            except (Failure, OSError, KeyError):
                continue
        return None

    def wait_all_up(self, seconds):
        last = [None]

        def up():
            if self.leader() is None:
                return False
            try:
                last[0] = {node["name"]: node["state"] for node in self.ask("/api/v1/nodes")}
            except Failure:
                return False
            return all(last[0].get(node) in ("up", "ramping") for node in NODES)
        eventually(up, seconds, lambda: f"every node in use again (last: {last[0]})", every=0.2)

    def run(self):
        accounts = self.bank("accounts")
        self.total = sum(one["balance_minor"] for one in accounts)
        self.numbers = {str(one["customer"]): str(one["account"]) for one in accounts}
        access = self.hosts.endpoint("access-1")
        pairs = [(str(10000001 + 2 * n), str(10000002 + 2 * n)) for n in range(499)]
        self.listeners = Listeners(access, self.ip, self.options.rate, self.options.seed)
        self.payments = Payments(self.hosts, LiveCalls(list(self.apis)), access, self.ip, self.options.payers, pairs)
        ends = time.monotonic() + self.options.seconds
        bulk = self.start_bulk(access)
        LOOP.let_pass(min(6, self.options.seconds / 3))
        broken = []
        while time.monotonic() < ends:
            fault = faults.choose(self.source, self.hosts, self.leader(), self.wires)
            pause = self.source.uniform(2, 5)
            with Starvation() as measured:
                fault.run()
                self.faults.append(fault)
                try:
                    self.wait_all_up(30)
                except Failure as failure:
                    broken.append(f"after {fault.name}: {failure}")
                LOOP.let_pass(pause)
            fault.measured = measured
            print(f"  {fault.at - (ends - self.options.seconds):6.1f} s  {fault.name}; {measured}", flush=True)
            if broken:
                break
        bulk_broken = self.judge_bulk(bulk)
        self.listeners.end()
        quiet = self.payments.end()
        LOOP.let_pass(2)
        broken += [] if quiet else ["customers are still on the line"]
        broken += self.judge_listeners()
        broken += bulk_broken
        broken += self.judge_payments()
        broken += self.judge_bank()
        broken += self.judge_records()
        self.listeners.close()
        return broken

    def start_bulk(self, access):
        """`tandem callers`, whose calls all end a little after the last fault."""
        if not self.options.bulk:
            return None
        hold = 15
        calls = max(1, int(self.options.bulk * (self.options.seconds - 2)))
        command = [str(system.TANDEM), "callers", "--to", f"{access[0]}:{access[1]}", "--line", "9664", "--calls", str(calls), "--rate",
                   str(self.options.bulk), "--hold", str(hold), "--silence", str(PROMISE), "--from", self.ip, "--json"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    # Judgements

    def judge_bulk(self, process):
        if process is None:
            return []
        try:
            said, wrong = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return ["tandem callers did not end"]
        (self.hosts.folder / "callers.json").write_text(said)
        try:
            report = json.loads(said)
        except ValueError:
            return [f"tandem callers: {wrong.strip()[:200]}"]
        gaps = [row["gap_ms"] / 1000 for row in report["callers"] if row["moves"] and row.get("gap_ms") is not None]
        print(f"tandem callers: {report['calls']} placed, {report['answered']} answered, {report['dropped']} dropped, {report['moved']} moved; "
              f"their gaps: p50 {percentile(gaps, 50):.3f} s, p99 {percentile(gaps, 99):.3f} s, max {max(gaps, default=0):.3f} s")
        self.bulk = {f"caller-{row['caller']}" for row in report["callers"] if row.get("status") == "200"}
        self.tried_twice |= {f"caller-{row['caller']}" for row in report["callers"] if (row.get("answer_ms") or 0) >= FIRST_RESPONSE * 1000}
        dropped = [row["detail"] for row in report["callers"] if row["end"] == "dropped"]
        broken = [f"{report['failed']} calls of tandem callers failed: {report['by_status']}"] if report["failed"] else []
        broken += [f"{len(dropped)} calls of tandem callers were dropped: {dropped[:3]}"] if dropped else []
        worst = max([row["gap_ms"] / 1000 for row in report["callers"] if row.get("gap_ms") is not None], default=0)
        starved = any(fault.measured.starved for fault in self.faults)
        if report["silent"] and (worst > 5 or not starved):
            broken.append(f"{report['silent']} calls of tandem callers had no audio for more than {PROMISE} s (worst {worst:.2f} s)")
        return broken

    def judge_listeners(self):
        calls = self.listeners.calls
        answered = [call for call in calls if call.answered_at]
        refused = [call.status for call in calls if not call.answered_at]
        dropped = [call for call in answered if call.ended_by == "them"]
        kept = [call for call in answered if call.ended_by != "them"]
        unheard = [call for call in kept if not call.final_requests or not call.final_requests[-1].final
                   or call.final_requests[-1].final.status != 200]
        moved = [call for call in kept if call.moves and getattr(call, "gap", None) is not None]
        gaps = [call.gap for call in moved]
        still = [call.gap for call in kept if not call.moves and getattr(call, "gap", None) is not None]
        late = [moment for call in kept if getattr(call, "heard", None) for moment in self.out_of_turn(call.heard)]
        problems = [problem for call in calls for problem in call.problems]
        print(f"calls: {len(calls)} placed, {len(answered)} answered, {len(kept)} kept, {len(moved)} moved, {len(dropped)} dropped")
        print(f"gaps of the moved: p50 {percentile(gaps, 50):.3f} s, p99 {percentile(gaps, 99):.3f} s, max {max(gaps, default=0):.3f} s; "
              f"of the others: max {max(still, default=0):.3f} s")
        broken = []
        if refused:
            broken.append(f"{len(refused)} new calls were not answered: {sorted(set(map(str, refused)))}")
        if dropped:
            broken.append(f"{len(dropped)} answered calls were dropped: {[call.user for call in dropped][:5]}")
        if unheard:
            broken.append(f"{len(unheard)} callers could not hang up: {[call.user for call in unheard][:5]}")
        slow = [call for call in kept if getattr(call, "gap", 0) > PROMISE]
        if slow and not self.was_starved(slow):
            broken.append(f"{len(slow)} callers heard nothing for more than {PROMISE} s: {[(call.user, round(call.gap, 2)) for call in slow][:5]}")
        elif slow:
            print(f"{len(slow)} callers heard nothing for more than {PROMISE} s, at times when the machine was starved")
        if late:
            broken.append(f"{len(late)} packets of a former center after the present one spoke: {self.explain(late)}")
        if problems:
            broken.append(f"wrong requests: {problems[:3]}")
        return broken

    def out_of_turn(self, meter):
        """Packets of a former center that it had no business to send. One that is cut off from masters and access, but not from
        callers and store, learns there that it is fenced; so does one that woke and was confirmed just before the fence. Until
        then both speak. One that sleeps while its calls are taken has no such excuse."""
        def excused(change):
            return any(cut.civil <= change <= cut.civil + cut.seconds + 1 for cut in cuts) or any(
                woken.civil + woken.seconds <= change <= woken.civil + woken.seconds + 1 for woken in freezes)
        cuts = [fault for fault in self.faults if isinstance(fault, faults.Cut)]
        freezes = [fault for fault in self.faults if isinstance(fault, faults.Freeze)]
        changes = [change for change, _ in meter.changes]
        for moment, source in meter.late:
            change = max((one for one in changes if one <= moment), default=moment)
            if moment - change > LEARNS or not excused(change):
                yield moment, source, moment - change

    def explain(self, late):
        """Counts by the fault before them and their sender, with the seconds after that fault and after the change of sender."""
        found = {}
        for moment, (address, _), after in late:
            before = [fault for fault in self.faults if fault.civil <= moment]
            name = before[-1].name if before else "no fault"
            one = found.setdefault((name, address), [])
            one.append((round(moment - before[-1].civil, 2) if before else 0, round(after, 2)))
        return "; ".join(f"{len(times)} of {address} in '{name}', {min(times)} to {max(times)}" for (name, address), times in found.items())

    def was_starved(self, slow):
        """Every one of these gaps fell into a time when the machine was short of processors; beyond 5 s that is no excuse."""
        for call in slow:
            meter = call.heard
            around = [fault for fault in self.faults if meter.gap_to is None or meter.gap_from - 1 <= fault.civil <= meter.gap_to + 1]
            if call.gap > 5 or not around or not any(fault.measured.starved for fault in around):
                return False
        return True

    def judge_payments(self):
        attempts = self.payments.attempts
        rows = self.bank("transfers")
        told = {}
        broken = []
        for attempt in attempts:
            moved = sum(str(row["from"]) == self.numbers[attempt.payer] and row["result"] == "done" for row in rows)
            told[attempt.told] = told.get(attempt.told, 0) + 1
            who = f"customer {attempt.payer}"
            if moved > 1:
                broken.append(f"{who} paid {moved} times")
            if attempt.told == "transfer-done" and moved != 1:
                broken.append(f"{who} was told that it is done, the ledger has {moved}")
            if attempt.told in ("transfer-refused", "transfer-unavailable", "bank-unavailable", "transfer-cancelled") and moved:
                broken.append(f"{who} was told {attempt.told}, the ledger has {moved}")
            if attempt.told is None and moved:
                broken.append(f"{who} paid and was told nothing ({attempt.problem or 'no word'})")
            if attempt.dropped:
                broken.append(f"{who}'s call was dropped")
        counts = ", ".join(f"{count} × {name or 'nothing (not confirmed)'}" for name, count in sorted(told.items(), key=str))
        print(f"transfers: {len(attempts)} customers; told: {counts}")
        return broken

    def bank(self, what):
        done = system.tandem("bank", what, "--json", "--state", self.hosts.state, seconds=60)
        if done.returncode != 0:
            raise Failure(f"tandem bank {what} ended with {done.returncode}: {done.stderr.strip()[:200]}")
        return json.loads(done.stdout)

    def judge_bank(self):
        audit = system.tandem("bank", "audit", "--state", self.hosts.state, seconds=60)
        total = sum(one["balance_minor"] for one in self.bank("accounts"))
        print(f"tandem bank audit: exit {audit.returncode}; sum of all accounts {'unchanged' if total == self.total else 'CHANGED'}")
        broken = [] if audit.returncode == 0 else [f"tandem bank audit: {(audit.stdout + audit.stderr).strip()[:200]}"]
        return broken + ([] if total == self.total else [f"the sum of all accounts went from {self.total} to {total}"])

    def judge_records(self):
        answered = {call.user for call in self.listeners.calls if call.answered_at}
        self.tried_twice |= {call.user for call in self.listeners.calls if (call.answer_delay or 0) >= FIRST_RESPONSE}
        self.tried_twice |= {attempt.user for attempt in self.payments.attempts
                             if attempt.call and (attempt.call.answer_delay or 0) >= FIRST_RESPONSE}
        answered |= self.bulk
        answered |= {attempt.user for attempt in self.payments.attempts if attempt.call and attempt.call.answered_at}
        found, before = {}, ""

        def read():
            nonlocal before
            found.clear()
            before = ""
            while True:
                page = self.ask(f"/api/v1/cdrs?limit=1000{before}")
                for record in page:
                    found.setdefault(number_of(record["from"]), []).append(record)
                if len(page) < 1000:
                    return
                before = f"&before={page[-1]['id']}"
        deadline = time.monotonic() + 15
        while True:
            read()
            live = [call for call in self.ask("/api/v1/calls") if number_of(call["from"]) in answered]
            if (not live and answered <= set(found)) or time.monotonic() > deadline:
                break
            LOOP.let_pass(0.5)
        # An attempt at a center that died before its answer arrived has a record of its own, with nobody answered.
        found = {user: [row for row in rows if row["answered"]] for user, rows in found.items()}
        missing = sorted(user for user in answered if not found.get(user))
        # A 200 that was cut off on its way makes access try the next center: the former attempt is a session of its own.
        twice = sorted(user for user in answered - self.tried_twice if len({row["id"] for row in found.get(user, [])}) > 1)
        lost = sorted(user for user in answered if any(row["end"] == "lost" for row in found.get(user, [])))
        takeovers = sum(row["takeovers"] for rows in found.values() for row in rows)
        print(f"records: {len(answered)} sessions answered, {len(answered) - len(missing)} with a CDR, {takeovers} takeovers, {len(lost)} lost")
        broken = []
        if missing:
            broken.append(f"{len(missing)} sessions have no CDR: {missing[:5]}")
        if twice:
            broken.append(f"{len(twice)} callers have more than one CDR: {twice[:5]}")
        if lost:
            broken.append(f"{len(lost)} CDRs say lost: {lost[:5]}")
        if live:
            broken.append(f"{len(live)} sessions still live after their callers hung up")
        return broken


if __name__ == "__main__":
    sys.exit(main())
