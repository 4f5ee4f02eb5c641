"""A PostgreSQL server of the run's own, in a temporary folder, on a loopback address that nothing else uses."""

import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile

from .loop import Failure


def binaries():
    """The folder of `initdb` and `pg_ctl`, of version 15 or newer; None where there is none."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                     key=lambda folder: -int(re.sub(r"\D", "", folder.parent.name) or 0))
    found = shutil.which("initdb")
    for folder in folders + ([pathlib.Path(found).resolve().parent] if found else []):
        if not (folder / "initdb").exists():
            continue
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True).stdout
        if int(re.search(r"(\d+)", said or "0").group(1)) >= 15:
            return folder
    return None


class Postgres:
    def __init__(self, address):
        self.address = address
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tandem-postgres-"))
        self.data = self.folder / "data"
        self._as = []
        if os.geteuid() == 0:
            # Its programs refuse to run as root.
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        with socket.socket() as probe:
            # Below the ephemeral range, so that no connection takes it meanwhile.
            for port in range(21_000, 22_000):
                try:
                    probe.bind((address, port))
                    self.port = port
                    break
                except OSError:
                    continue
        self._run("initdb", "-D", self.data, "-U", "tandem", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with open(self.data / "postgresql.auto.conf", "a") as file:
            # What is killed here are nodes, not this machine: nothing has to reach its disk.
            file.write(f"port = {self.port}\nlisten_addresses = '{address}'\nunix_socket_directories = '{self.folder}'\n"
                       "fsync = off\nshared_buffers = 64MB\nmax_connections = 100\n")
        self.start()

    @property
    def url(self):
        return f"postgres://tandem@{self.address}:{self.port}/postgres"

    def start(self):
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.folder / "log", "start")

    def stop(self):
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    def remove(self):
        try:
            self.stop()
        except Failure:
            pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program, *arguments):
        # Output goes to a file: what a server inherits must not be a pipe that somebody waits for.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run([*self._as, str(binaries() / program), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                  stdout=said, stderr=said, cwd="/")
            if done.returncode != 0:
                said.seek(0)
                raise Failure(f"{program}: {said.read().decode(errors='replace').strip()[-300:]}")
