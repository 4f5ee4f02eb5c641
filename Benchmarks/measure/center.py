"""Menu calls: what a call with audio both ways costs a center, in processor time and in memory, and what callers hear."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

from . import process, running

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Scenarios"))

from lib import api as pages  # noqa: E402
from lib import profiles  # noqa: E402
from lib.loop import LOOP, Failure  # noqa: E402
from lib.phone import Phone  # noqa: E402
from lib.rtp import Report  # noqa: E402

SIP, HTTP = ("127.0.0.1", 15081), 18081


class Center:
    """One center by itself on ports of its own; prompts are taken from where an earlier run left them."""

    def __init__(self, folder, binary):
        self.folder, self.binary = folder, binary
        self.profiles, self.state = folder / "profiles", folder / "state"
        shutil.copytree(ROOT / "sip-profiles", self.profiles)
        profile = self.profiles / "center-a.yaml"
        profiles.change(profile, "sip.listen", f'["127.0.0.1:{SIP[1]}"]')
        profiles.change(profile, "http", f"127.0.0.1:{HTTP}")
        profiles.change(profile, "limits.calls", "2200")
        profiles.change(profile, "limits.setups_per_second", "400")
        profiles.change(profile, "drain_s", "0")
        profiles.change(profile, "media.ports", "32000-41999")
        self.profile = profile
        self.state.mkdir()
        kept = ROOT / ".build" / "bench-prompts"
        if kept.is_dir():
            shutil.copytree(kept, self.state / "prompts")
        self.kept = kept

    def start(self):
        self.process = running.start([self.binary, "center", "--profile", self.profile, "--state", self.state],
                                     self.folder / "center.log")
        running.wait_until(self._serves, 300, "the center (it may be speaking its prompts for the first time)")
        if not self.kept.is_dir() and (self.state / "prompts").is_dir():
            shutil.copytree(self.state / "prompts", self.kept)
        return self.process.pid

    def _serves(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the center ended with {self.process.returncode}: see {self.folder}/center.log")
        try:
            return pages.health(HTTP).status == 200
        except Failure:
            return False

    def active(self):
        try:
            return int(pages.total(pages.metrics(HTTP), "tandem_calls_active") or 0)
        except Failure:
            return 0

    def stop(self):
        running.end(self.process)


def callers(binary, folder, line, calls, rate, hold, label):
    command = [str(binary), "callers", "--to", f"127.0.0.1:{SIP[1]}", "--line", line, "--calls", str(calls), "--rate", str(rate),
               "--hold", str(hold), "--json"]
    output = open(folder / f"{label}.json", "wb")
    with open(folder / f"{label}.err", "wb") as errors:
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
    output.close()
    running.adopt(started)
    return started, folder / f"{label}.json"


def finish(started, path, seconds):
    try:
        started.wait(seconds)
    except subprocess.TimeoutExpired:
        running.end(started)
        return None
    try:
        return json.loads(path.read_text())
    except ValueError:
        return None


def menu_calls(binary, folder, calls=300, rate=50, hold=30, progress=print):
    """Processor time of the center per call and second of audio while `calls` of them are up."""
    center = Center(folder, binary)
    pid = center.start()
    phones = []
    try:
        load, report = callers(binary, folder, "95533", calls, rate, hold, "menu-callers")
        running.wait_until(lambda: center.active() >= calls or load.poll() is not None, calls / rate + 10, f"{calls} calls")
        phones = [Phone() for _ in range(4)]
        heard = [phone.dial(SIP, "95533") for phone in phones]
        running.pause(1)
        marks = [call.stream.mark() for call in heard]
        length = hold - calls / rate - 4
        during = center.active()
        before, began = process.cpu_seconds(pid), time.monotonic()
        callers_before = process.cpu_seconds(load.pid)
        running.pause(length)
        cpu, took = process.cpu_seconds(pid) - before, time.monotonic() - began
        callers_cpu = process.cpu_seconds(load.pid) - callers_before
        streams = [Report(call.stream.since(mark)) for call, mark in zip(heard, marks)]
        still = center.active()
        for call in heard:
            call.bye()
        LOOP.let_pass(0.2)
        told = finish(load, report, hold + 30)
        gaps = sorted(gap for stream in streams for gap in _gaps(stream))
        return {"calls": during, "still": still, "seconds": took, "cpu_s": cpu, "ms_per_call_second": cpu / during / took * 1000,
                "callers_ms_per_call_second": callers_cpu / calls / took * 1000,
                "phones": len(streams), "p99_gap_ms": gaps[int(len(gaps) * 0.99)] * 1000 if gaps else None,
                "longest_gap_ms": gaps[-1] * 1000 if gaps else None,
                "packets_s": sum(stream.rate for stream in streams) / len(streams), "callers": told,
                "rss": process.rss_bytes(pid)}
    finally:
        for phone in phones:
            phone.close()
        center.stop()


def _gaps(stream):
    return [after.at - before.at for before, after in zip(stream.packets, stream.packets[1:])]


def memory(binary, folder, calls=2000, rate=100):
    """Resident memory that each of `calls` calls adds."""
    center = Center(folder, binary)
    pid = center.start()
    try:
        warm, report = callers(binary, folder, "9664", 50, 50, 2, "warm-callers")
        finish(warm, report, 30)
        running.wait_until(lambda: center.active() == 0, 10, "end of the calls that warm the center up")
        before = process.rss_bytes(pid)
        load, report = callers(binary, folder, "9664", calls, rate, int(calls / rate) + 12, "memory-callers")
        try:
            running.wait_until(lambda: center.active() >= calls or load.poll() is not None, calls / rate + 15, f"{calls} calls")
        except RuntimeError:
            pass  # Fewer came up; the table says how many.
        running.pause(3)
        up, now = center.active(), process.rss_bytes(pid)
        told = finish(load, report, calls / rate + 60)
        return {"calls": up, "wanted": calls, "before": before, "now": now, "kib_per_call": (now - before) / 1024 / max(1, up),
                "callers": told}
    finally:
        center.stop()


def version_of(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10)
        found = re.search(r"\d+\.\d+(\.\d+)?[-\w]*", done.stdout)
        return found.group(0) if found else done.stdout.strip().splitlines()[0]
    except (OSError, subprocess.TimeoutExpired, IndexError):
        return None
