"""Checkpoints a second that the store takes on each engine, and what a transfer waits meanwhile."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess

# What StoreBenchmark prints of each thing that it measures; what else it says is for people.
FIGURE = re.compile(r"figure \S+ (?P<name>\S+) (?P<value>[\d.]+) \S+")
OLDEST_SERVER = 15


class Failure(RuntimeError):
    """The store could not be measured."""


def measure(program, place, folder, name):
    """Rates of checkpoints offered (None: as many as the store takes) with what came of each, and claims a second."""
    done = subprocess.run([str(program), place], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    (folder / f"{name}.log").write_text(done.stdout)
    figures = {found["name"]: float(found["value"]) for found in map(FIGURE.fullmatch, done.stdout.splitlines()) if found}
    rates = [key.removeprefix("checkpoints_offered_") for key in figures if key.startswith("checkpoints_offered_")]
    if done.returncode != 0 or "all" not in rates:
        raise Failure(f"{name}: exit {done.returncode}: {' '.join(done.stdout.strip().splitlines()[-1:]) or 'no output'}")
    if "audit ok: true" not in done.stdout:
        raise Failure(f"{name}: the ledger does not add up after the run")
    runs = [{"rate": None if rate == "all" else int(rate), "written": figures[f"checkpoints_offered_{rate}"],
             "wait": {key: figures.get(f"transfer_{key}_offered_{rate}") for key in ("p50", "p99", "max")}} for rate in rates]
    claims = {int(key.removeprefix("claims_of_")): value for key, value in figures.items() if key.startswith("claims_of_")}
    return {"runs": sorted(runs, key=lambda run: run["rate"] or float("inf")), "claims": claims}


def sqlite(program, folder):
    return measure(program, str(folder / "bench.sqlite"), folder, "SQLite")


def server_binaries():
    """Where the newest PostgreSQL server of a sufficient version is; None where there is none."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                     key=lambda folder: -int(folder.parent.name) if folder.parent.name.isdigit() else 0)
    found = shutil.which("pg_ctl")
    for candidate in folders + ([pathlib.Path(found).parent] if found else []):
        if not (candidate / "initdb").exists():
            continue
        said = subprocess.run([candidate / "postgres", "--version"], stdout=subprocess.PIPE, text=True).stdout
        version = re.search(r"\d+", said)
        if version and int(version[0]) >= OLDEST_SERVER:
            return candidate
    return None


def postgres(program, folder, binaries):
    with server(binaries, folder / "postgres") as url:
        return measure(program, url, folder, "PostgreSQL")


@contextlib.contextmanager
def server(binaries, folder):
    """A cluster of its own on a free port of 127.0.0.1, with the settings that docs/OPERATIONS.md names."""
    folder.mkdir()
    user = None
    if os.geteuid() == 0:
        # The server refuses to run as root; its user must get at the folder, and at those above it.
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)

    def run(name, *arguments):
        extra = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        done = subprocess.run([str(binaries / name), *map(str, arguments)], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, **extra)
        if done.returncode != 0:
            raise Failure(f"{name}: {done.stdout.strip()}")

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    run("initdb", "-D", data, "-U", "tandem", "-A", "trust", "-E", "UTF8", "--locale=C")
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c wal_writer_delay=10ms -c max_connections=50"
    # Without a log file the server would hold the pipe that is read here.
    run("pg_ctl", "-D", data, "-w", "-l", folder / "server.log", "-o", settings, "start")
    try:
        yield f"postgres://tandem@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "fast", "stop")
