"""The profile sets the scenarios run on: the shipped ones, with little changed."""

import re

from lib import profiles
from lib.postgres import Postgres, binaries


def demo(folder):
    """As shipped, but a node that is told to stop does not wait long for its calls."""
    for center in ("center-a", "center-b"):
        profiles.change(folder / f"{center}.yaml", "drain_s", "3")


def narrow(folder):
    """Small limits, few trusted neighbours, and a media time-out."""
    demo(folder)
    for center in ("center-a", "center-b"):
        file = folder / f"{center}.yaml"
        profiles.change(file, "limits.calls", "3")
        profiles.change(file, "media.timeout_s", "5")
        profiles.change(file, "sip.trusted", '["127.0.0.1/32"]')
    access = folder / "access-1.yaml"
    profiles.change(access, "sip.trusted", '["127.0.0.1/32"]')
    profiles.change(access, "sources.allow", '["127.0.0.0/26"]')
    profiles.change(access, "sources.per_second", "5")
    profiles.change(access, "sources.burst", "20")


def six(folder):
    """SIP and RTP by IPv6 alone."""
    demo(folder)
    for file in folder.glob("*.yaml"):
        file.write_text(re.sub(r"127\.0\.0\.1:(50\d\d)", r"[::1]:\1", file.read_text()))


def pair(folder):
    """Two centers and two masters; a center that returns has its full share at once. Served beside the demo ports."""
    demo(folder)
    second_master(folder)
    for master in folder.glob("master-*.yaml"):
        profiles.change(master, "detection.ramp_up_s", "0")
    profiles.change(folder / "access-1.yaml", "suspicion.ramp_up_s", "0")


pair.address = "127.0.55.1"


def masters(folder):
    """The same, for scenarios in which masters die."""
    pair(folder)


masters.address = "127.0.55.9"


def trio(folder):
    """The same with a third center, and callers who do not answer are given up after 6.4 s (64 times T1)."""
    pair(folder)
    third_center(folder)
    for node in ("center-a", "center-b", "center-c", "access-1"):
        profiles.change(folder / f"{node}.yaml", "sip.t1_ms", "100")


trio.address = "127.0.55.2"


def tight(folder):
    """Two centers, the second with room for twelve calls."""
    pair(folder)
    profiles.change(folder / "center-b.yaml", "limits.calls", "12")


tight.address = "127.0.55.3"


def shared(folder):
    """The pair over a PostgreSQL server, as centers of several machines have it. Returns the server, for who stops it."""
    pair(folder)
    server = Postgres(shared.address)
    for file in folder.glob("*.yaml"):
        if profiles.read(file, "role") in ("center", "master"):
            profiles.change(file, "store", f'"{server.url}"')
    return server


shared.address = "127.0.55.4"
# A machine without the server runs everything else, and says so.
shared.needs = lambda: None if binaries() else "no PostgreSQL server is installed (Debian package postgresql)"


def second_master(folder):
    """master-b beside master-a, where the shipped set has only one."""
    second = folder / "master-b.yaml"
    if not second.exists():
        text = (folder / "master-a.yaml").read_text()
        second.write_text(text.replace("master-a", "master-b").replace(":5070", ":5071").replace(":8080", ":8088"))
        lines = []
        for name, sip, http in (("master-a", 5070, 8080), ("master-b", 5071, 8088)):
            lines.append(f'  - {{name: {name}, role: master, sip: "127.0.0.1:{sip}", http: "127.0.0.1:{http}"}}\n')
        for file in folder.glob("master-*.yaml"):
            file.write_text(re.sub(r"^nodes:.*\n", lambda found: found.group(0) + "".join(lines), file.read_text(), flags=re.M))
        profiles.change(folder / "access-1.yaml", "masters", '["http://127.0.0.1:8080", "http://127.0.0.1:8088"]')


def third_center(folder):
    text = (folder / "center-b.yaml").read_text()
    text = text.replace("center-b", "center-c").replace(":5082", ":5083").replace(":8082", ":8083")
    (folder / "center-c.yaml").write_text(text)
    profiles.change(folder / "center-c.yaml", "media.ports", "6000-9999")
    for file in [folder / "access-1.yaml", *folder.glob("master-*.yaml")]:
        lines = [line.replace("center-b", "center-c").replace(":5082", ":5083").replace(":8082", ":8083")
                 for line in file.read_text().splitlines(True) if re.match(r"\s*- \{name: center-b,", line)]
        file.write_text(re.sub(r"(^\s*- \{name: center-b,.*\n)", lambda found: found.group(0) + lines[0], file.read_text(), flags=re.M))
