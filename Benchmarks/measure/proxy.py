"""Proxy measurement: CPU per completed call of a record-routing proxy in front of two answering parties."""

import csv
import pathlib
import subprocess

from . import process, running

HERE = pathlib.Path(__file__).resolve().parent.parent
CALLER_PORT, PROXY_PORT, ANSWERING_PORTS = 16060, 15060, (17081, 17082)
LADDER = (2000, 1600, 1300, 1000, 800, 600, 400, 200)


class Kamailio:
    name = "Kamailio"

    def __init__(self, folder):
        self.folder = folder
        destinations = folder / "dispatcher.list"
        destinations.write_text("".join(f"1 sip:127.0.0.1:{port}\n" for port in ANSWERING_PORTS))
        text = (HERE / "kamailio.cfg").read_text()
        text = text.replace("@PORT@", str(PROXY_PORT)).replace("@LIST@", str(destinations))
        self.configuration = folder / "kamailio.cfg"
        self.configuration.write_text(text)

    def start(self):
        arguments = ["kamailio", "-f", self.configuration, "-DD", "-E", "-x", "fm", "-X", "fm", "-m", "1024", "-M", "64",
                     "-Y", self.folder]
        return running.start(arguments, self.folder / "kamailio.log")


class Tandem:
    name = "Tandem"

    def __init__(self, folder, binary, profile):
        self.folder, self.binary, self.profile = folder, binary, profile

    def start(self):
        arguments = [self.binary, "access", "--profile", self.profile, "--state", self.folder / "state"]
        return running.start(arguments, self.folder / "tandem.log")


def _statistics(path):
    """The last line of a SIPp statistics file by column name."""
    with open(path, newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    return rows[-1] if rows else {}


def _answering_parties(folder, rate):
    parties = []
    for port in ANSWERING_PORTS:
        parties.append(running.start(
            ["sipp", "-sf", HERE / "sipp/answerer.xml", "-i", "127.0.0.1", "-p", str(port), "-nostdin",
             "-mp", str(port + 10000), "-deadcall_wait", "1000", "-trace_err", "-error_file", folder / f"answerer-{port}.err"],
            folder / f"answerer-{port}.log", cwd=folder))
    for port in ANSWERING_PORTS:
        running.wait_until(lambda: running.udp_port_is_taken(port), 5, f"SIPp on port {port}")
    return parties


def measure(proxy, folder, rate, seconds):
    """One round: `rate` calls a second for `seconds`. Returns what it cost, or why it did not hold."""
    folder.mkdir(parents=True, exist_ok=True)
    parties = _answering_parties(folder, rate)
    server = proxy.start()
    try:
        running.wait_until(lambda: running.udp_port_is_taken(PROXY_PORT) or server.poll() is not None, 15, proxy.name)
        if server.poll() is not None:
            raise RuntimeError(f"{proxy.name} did not start: see {proxy.folder}")
        _caller(folder, 50, 25, "warm")
        memory_before = process.resident_bytes(server.pid)
        before = process.cpu_seconds(server.pid)
        result = _caller(folder, rate, rate * seconds, "measured", seconds)
        result["cpu_s"] = process.cpu_seconds(server.pid) - before
        result["memory_before"] = memory_before
        result["memory_after"] = process.resident_bytes(server.pid)
        result["us_per_call"] = result["cpu_s"] / max(1, result["successful"]) * 1e6
        return result
    finally:
        running.end(server)
        for party in parties:
            running.end(party)


def _caller(folder, rate, calls, label, seconds=2):
    statistics = folder / f"{label}.csv"
    statistics.unlink(missing_ok=True)
    arguments = ["sipp", "-sf", HERE / "sipp/caller.xml", "-s", "95533", f"127.0.0.1:{PROXY_PORT}", "-i", "127.0.0.1",
                 "-p", str(CALLER_PORT), "-mp", "26000", "-nostdin", "-r", str(rate), "-m", str(calls), "-l", str(rate * 8),
                 "-timeout", f"{seconds + 15}s", "-deadcall_wait", "1000", "-trace_stat", "-stf", statistics, "-fd", "1",
                 "-trace_err", "-error_file", folder / f"{label}.err"]
    with open(folder / f"{label}.log", "wb") as log:
        try:
            subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, timeout=seconds + 20)
        except subprocess.TimeoutExpired:
            pass  # SIPp waits for calls that will never end; its statistics tell how many those are.
    row = _statistics(statistics)
    elapsed = _clock_seconds(row.get("ElapsedTime(C)", "")) or seconds
    successful = int(row.get("SuccessfulCall(C)") or 0)
    return {"rate": rate, "calls": calls, "successful": successful, "failed": int(row.get("FailedCall(C)") or 0),
            "retransmissions": int(row.get("Retransmissions(C)") or 0), "achieved": successful / elapsed}


def _clock_seconds(text):
    """SIPp writes elapsed time as HH:MM:SS or HH:MM:SS:mmmuuu."""
    parts = text.split(":")
    if len(parts) < 3:
        return 0
    seconds = int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])
    return seconds + (float(f"0.{parts[3]}") if len(parts) > 3 else 0)


def holds(result):
    """A rate is sustained where every call completed and hardly a message had to be sent twice."""
    return (result["failed"] == 0 and result["successful"] == result["calls"]
            and result["retransmissions"] <= result["calls"] * 0.01 and result["achieved"] >= result["rate"] * 0.9)


def highest_common_rate(proxies, folder, progress, ladder=LADDER):
    """The highest rung of the ladder that all proxies sustain for three seconds."""
    for rate in ladder:
        results = []
        for proxy in proxies:
            result = measure(proxy, folder / f"try-{proxy.name}-{rate}", rate, 3)
            results.append(result)
            progress(f"proxy: {proxy.name} at {rate} calls/s: {result['successful']} of {result['calls']} calls, "
                     f"{result['retransmissions']} retransmissions")
            if not holds(result):
                break
        else:
            return rate
    return None
