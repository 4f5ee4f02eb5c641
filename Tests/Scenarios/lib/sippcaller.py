"""Runs SIPp: always bound, never interactive, with a deadline and its error log kept."""

import csv
import itertools
import os
import pathlib
import socket
import subprocess

from .loop import Failure
from .message import host_text

SCENARIOS = pathlib.Path(__file__).resolve().parent.parent / "sipp"
_runs = itertools.count(1)


def free_port(ip="127.0.0.1", kind=socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind) as probe:
        probe.bind((ip, 0))
        return probe.getsockname()[1]


class Result:
    def __init__(self, code, statistics, folder, label):
        self.code, self.folder, self.label = code, folder, label
        self.successful = int(statistics.get("SuccessfulCall(C)") or 0)
        self.failed = int(statistics.get("FailedCall(C)") or 0)
        self.retransmissions = int(statistics.get("Retransmissions(C)") or 0)

    def expect_all(self, calls):
        if self.code == 0 and self.successful == calls and self.failed == 0:
            return self
        errors = self.folder / f"{self.label}.err"
        first = errors.read_text(errors="replace").strip().splitlines()[:2] if errors.exists() else []
        raise Failure(f"SIPp: {self.successful} of {calls} calls good, {self.failed} failed, exit {self.code} "
                      f"({self.folder}/{self.label}.*) {' | '.join(first)[:300]}")


def run(folder, to, scenario="uac", line="95533", calls=1, rate=10, hold_ms=None, transport="u1", seconds=20, extra=(),
        ip="127.0.0.1"):
    """`scenario` is one of SIPp's own (uac) or a file of ../sipp. Returns a Result."""
    number = next(_runs)
    name = pathlib.Path(scenario).stem
    label = f"sipp-{number}-{name}"
    source = ["-sf", SCENARIOS / scenario] if scenario.endswith(".xml") else ["-sn", scenario]
    statistics = folder / f"{label}.csv"
    arguments = ["sipp", *source, f"{host_text(to[0])}:{to[1]}", "-s", line, "-i", ip, "-p", str(free_port(ip)),
                 "-mp", str(free_port(ip)), "-nostdin", "-t", transport, "-m", str(calls), "-r", str(rate),
                 "-timeout", f"{seconds}s", "-timeout_error", "-recv_timeout", "8000", "-trace_stat", "-stf", statistics, "-fd", "1",
                 "-trace_err", "-error_file", folder / f"{label}.err", *extra]
    if hold_ms is not None:
        arguments += ["-d", str(hold_ms)]
    with open(folder / f"{label}.log", "wb") as log:
        process = subprocess.Popen(list(map(str, arguments)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                   env={**os.environ, "TERM": "dumb"})
        try:
            code = process.wait(seconds + 15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = -1
    rows = {}
    if statistics.exists():
        with open(statistics, newline="") as lines:
            for rows in csv.DictReader(lines, delimiter=";"):
                pass
    return Result(code, rows, folder, label)
