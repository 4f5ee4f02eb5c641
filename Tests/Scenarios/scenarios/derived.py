"""The profile sets the scenarios run on: the shipped ones, with little changed."""

import re

from lib import profiles


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
