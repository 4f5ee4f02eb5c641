#!/usr/bin/env python3
"""Benchmarks side by side on this machine, in one run.

    run.py                       all of them; prints a table, writes docs/BENCHMARKS.md
    run.py --only proxy          one of proxy, menu, memory, store
    run.py --rounds 3 --seconds 10
    run.py --no-write            print only
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Benchmarks"))

from measure import center, proxy, store  # noqa: E402

TANDEM = pathlib.Path(os.environ.get("TANDEM") or ROOT / ".build/release/tandem").resolve()
STORE_BENCHMARK = ROOT / ".build/release/StoreBenchmark"
DOCUMENT = ROOT / "docs" / "BENCHMARKS.md"

ACCESS_PROFILE = """\
role: access
name: access-bench
sip:
  listen: ["udp:127.0.0.1:{port}"]
http: 127.0.0.1:18060
masters: []
centers:
  - {{name: center-a, sip: "127.0.0.1:{first}", weight: 100}}
  - {{name: center-b, sip: "127.0.0.1:{second}", weight: 100}}
routing:
  policy: weighted
sources:
  per_second: 100000
  burst: 1000000
"""


def progress(text):
    print(f"  {text}", flush=True)


class Row:
    def __init__(self, what, tandem, peer="", target="", met=None):
        self.cells = [what, tandem, peer, target, {True: "yes", False: "no", None: ""}[met]]


HEADINGS = ["measured", "Tandem", "peer", "target", "met"]


def proxy_rows(folder, options, notes):
    folder.mkdir()
    profile = folder / "access.yaml"
    profile.write_text(ACCESS_PROFILE.format(port=proxy.PROXY_PORT, first=proxy.ANSWERING_PORTS[0], second=proxy.ANSWERING_PORTS[1]))
    tandem = proxy.Tandem(folder, TANDEM, profile)
    contestants = [tandem]
    if shutil.which("kamailio") or pathlib.Path("/usr/sbin/kamailio").exists():
        contestants.append(proxy.Kamailio(folder))
    else:
        notes.append("Kamailio is not installed (Debian package kamailio): no peer for the proxy.")
    rate = proxy.highest_common_rate(contestants, folder, progress)
    if rate is None:
        notes.append("No rate of the ladder was sustained by all proxies: the proxy was not measured.")
        return [Row("proxy, calls/s sustained by all", "none", target="2,000", met=False)]
    rounds = {contestant.name: [] for contestant in contestants}
    for number in range(options.rounds):
        for contestant in contestants:
            result = proxy.measure(contestant, folder / f"round-{number}-{contestant.name}", rate, options.seconds)
            rounds[contestant.name].append(result)
            progress(f"proxy: round {number + 1}: {contestant.name}: {result['us_per_call']:.0f} µs a call, "
                     f"{result['successful']} of {result['calls']} calls, {result['retransmissions']} retransmissions")

    def cost(name):
        good = [result["us_per_call"] for result in rounds[name] if result["successful"]]
        return sum(good) / len(good) if good else None

    def spread(name):
        values = [result["us_per_call"] for result in rounds[name]]
        return f"{cost(name):.0f} µs ({min(values):.0f}–{max(values):.0f})"

    def grown(name):
        last = rounds[name][-1]
        return f"{last['memory_after'] / 2**20:.0f} MiB"

    lost = {name: sum(result["calls"] - result["successful"] for result in results) for name, results in rounds.items()}
    peer = "Kamailio" in rounds
    rows = [Row("proxy, calls/s sustained by all", f"{rate:,}", f"{rate:,}" if peer else "", "2,000", rate >= 2000)]
    mine, theirs = cost("Tandem"), cost("Kamailio") if peer else None
    rows.append(Row("proxy, CPU a call", spread("Tandem"), f"Kamailio {spread('Kamailio')}" if peer else "",
                    "Kamailio's or less", mine <= theirs if peer else None))
    if peer:
        rows.append(Row("proxy, CPU a call relative to Kamailio", f"{mine / theirs:.2f}", "1", "aim: 0.50", mine / theirs <= 0.5))
    rows.append(Row("proxy, calls lost", f"{lost['Tandem']}", f"{lost['Kamailio']}" if peer else "", "0", lost["Tandem"] == 0))
    rows.append(Row("proxy, memory after the last round (PSS)", grown("Tandem"), grown("Kamailio") if peer else ""))
    return rows


def menu_rows(folder, options, notes):
    folder.mkdir()
    result = center.menu_calls(TANDEM, folder, progress=progress)
    for name, command in (("Asterisk", "asterisk"), ("FreeSWITCH", "freeswitch")):
        notes.append(f"{name} is {'installed, but there is no configuration of it here' if shutil.which(command) else 'not installed'}: "
                     "no figure of it for menu calls.")
    rows = [
        Row(f"menu, {result['calls']} calls with audio both ways: CPU a call and second", f"{result['ms_per_call_second']:.3f} ms", "",
            "1.0 ms", result["ms_per_call_second"] <= 1.0),
        Row(f"menu, p99 gap at {result['phones']} independent phones", f"{result['p99_gap_ms']:.1f} ms", "", "60 ms",
            result["p99_gap_ms"] <= 60),
        Row("menu, longest gap at those phones", f"{result['longest_gap_ms']:.1f} ms"),
        Row("menu, packets a second at those phones", f"{result['packets_s']:.2f}", "", "50", abs(result["packets_s"] - 50) < 0.5),
        Row("tandem callers itself, CPU a call and second", f"{result['callers_ms_per_call_second']:.3f} ms"),
    ]
    if result["still"] < result["calls"]:
        notes.append(f"Only {result['still']} of {result['calls']} menu calls were still up at the end of the measurement.")
    return rows


def memory_rows(folder, options, notes):
    folder.mkdir()
    result = center.memory(TANDEM, folder)
    if result["calls"] < result["wanted"]:
        notes.append(f"Only {result['calls']} of {result['wanted']} calls came up for the measurement of memory.")
    return [
        Row(f"memory a call at {result['calls']:,} calls", f"{result['kib_per_call']:.1f} KiB", "", "64 KiB",
            result["kib_per_call"] <= 64 and result["calls"] >= result["wanted"]),
        Row("center without calls (RSS)", f"{result['before'] / 2**20:.0f} MiB"),
    ]


def store_rows(folder, options, notes):
    if not STORE_BENCHMARK.exists():
        raise store.Failure(f"{STORE_BENCHMARK} is missing: run 'make bench', or 'tools/build release' first")
    # On a disk: /tmp may be memory, where a commit costs nothing. The database server has a user of its own.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tandem-bench-store-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        measured = [("SQLite", store.sqlite(STORE_BENCHMARK, folder))]
        binaries = store.server_binaries()
        if binaries:
            measured.append(("PostgreSQL", store.postgres(STORE_BENCHMARK, folder, binaries)))
        else:
            notes.append(f"No PostgreSQL server of version {store.OLDEST_SERVER} or newer is installed: no figure of it for the store.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for engine, result in measured:
        most = result["runs"][-1]["written"]
        needed = 5000 if engine == "SQLite" else None
        rows.append(Row(f"store, {engine}: checkpoints/s, as many as it takes", f"{most:,.0f}", "", f"{needed:,}" if needed else "",
                        most >= needed if needed else None))
        for run in result["runs"]:
            at = f"{run['rate']:,} checkpoints/s" if run["rate"] else "as many as it takes"
            wait = {key: "none done" if value is None else f"{value:.1f} ms" for key, value in run["wait"].items()}
            rows.append(Row(f"store, {engine}: a transfer waits, at {at}", f"{wait['p50']}, p99 {wait['p99']}, longest {wait['max']}"))
            progress(f"store, {engine}: {at}: {run['written']:,.0f}/s written, a transfer waits {wait['p50']}, p99 {wait['p99']}")
        for count, pace in result["claims"].items():
            rows.append(Row(f"store, {engine}: claims/s of a dead center's {count:,} sessions", f"{pace:,.0f}", "", "1,000", pace >= 1000))
    return rows


PARTS = {"proxy": proxy_rows, "menu": menu_rows, "memory": memory_rows, "store": store_rows}


def table(rows, markdown=False):
    lines = [HEADINGS] + [row.cells for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = [[cell.ljust(width) for cell, width in zip(line, widths)] for line in lines]
    if markdown:
        shown.insert(1, ["-" * width for width in widths])
        return "\n".join("| " + " | ".join(line) + " |" for line in shown)
    return "\n".join("  ".join(line).rstrip() for line in shown)


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return [f"Machine: {os.cpu_count()} cores, {model.group(1) if model else platform.machine()}, "
            f"{int(memory.group(1)) / 2**20:.0f} GiB, Linux {platform.release()}"]


def versions():
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True).stdout.strip() or "unknown"
    kamailio = center.version_of(["/usr/sbin/kamailio", "-v"]) or "not installed"
    swift = center.version_of(["swift", "--version"]) or "unknown"
    return [f"Versions: Tandem {commit}, Kamailio {kamailio}, SIPp {center.version_of(['sipp', '-v']) or 'unknown'}, Swift {swift}, "
            f"Python {platform.python_version()}"]


HOW_TO_READ = """\
## How to read it

- **Proxy**: SIPp calls through the proxy to two answering SIPp processes, INVITE 100 180 200 ACK BYE 200, each request
  inside the dialog with the learned route set. Both proxies run in turns with the same callers, at the highest rate of a
  ladder (2,000 downwards) that both sustain with every call completed. CPU is user plus system time of the proxy's own
  processes and threads (/proc) over the calls that were completed; SIPp's share is not in it. Kamailio: `-x fm -X fm`, tm,
  dispatcher (round robin) and record_route, one worker (Benchmarks/kamailio.cfg).
- **Menu**: `tandem callers` holds 300 calls with audio both ways at one center; CPU of the center divided by calls and by
  seconds, with all calls up. Gaps are measured by phones that share no code with Tandem and use the kernel's receive
  time stamps; they run on the same machine, so the load of the callers is in the gaps.
- **Memory**: resident memory of the center with the calls up minus before them, divided by the calls; line 9664.
- **Store**: 2,000 sessions' checkpoints of about 2 KB, written in batches for five seconds at each rate, and at the same
  time one transfer every 20 ms, on the disk of /var/tmp; a transfer's time is from the request to its commit, with
  its flush to the disk. Claims: a hundred under way at a time, as a surviving center makes them. PostgreSQL: a server of
  this machine alone, without standbys.
- A figure in brackets is the range over the rounds. What is not installed is named and has no figure.
"""


def main():
    parser = argparse.ArgumentParser(description="Benchmarks side by side on this machine, in one run.")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    if options.only != "store":
        if not TANDEM.exists():
            print(f"{TANDEM} is missing: run 'make build' first", file=sys.stderr)
            return 2
        if shutil.which("sipp") is None:
            print("SIPp is missing: run 'make deps-test' (Debian package sip-tester)", file=sys.stderr)
            return 2
        for port in (proxy.PROXY_PORT, *proxy.ANSWERING_PORTS, proxy.CALLER_PORT, center.SIP[1]):
            if center.running.udp_port_is_taken(port):
                print(f"port {port} is in use, the benchmarks need it", file=sys.stderr)
                return 2
    rows, notes, failed = [], [], False
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    for name, part in PARTS.items():
        if options.only in (None, name):
            print(f"{name}:", flush=True)
            try:
                rows += part(folder / name, options, notes)
            except (RuntimeError, center.Failure, OSError, KeyError, subprocess.SubprocessError) as problem:
                failed = True
                notes.append(f"{name} was not measured: {problem}")
    lines = machine() + versions() + [f"Date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
                                      f"Command: make bench (python3 {' '.join(['Benchmarks/run.py', *sys.argv[1:]])})"]
    print("\n" + table(rows) + "\n")
    for note in notes:
        print(note)
    print("\n".join(lines))
    if options.only is None and not options.no_write and not failed:
        text = "# Benchmarks\n\nMade by `make bench`; every figure is of that one run.\n\n"
        text += "".join(f"- {line}\n" for line in lines) + "\n" + table(rows, markdown=True) + "\n\n"
        text += "".join(f"- {note}\n" for note in notes) + "\n" + HOW_TO_READ
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(text)
        print(f"written: {DOCUMENT.relative_to(ROOT)}")
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs: {folder}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
