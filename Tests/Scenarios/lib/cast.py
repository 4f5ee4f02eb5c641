"""A cast: callers of one kill who each behave in their own way, and judge for themselves what came of it."""

import time

from .crowd import number_of
from .death import PROMISE, expect_moved, in_time, land
from .ear import Ear, gap_of
from .loop import LOOP, eventually, expect, wait_for


class Part:
    """One caller at the center that dies. Subclasses say what it does before, at the kill, and what must come of it."""

    line = "9664"
    options = {}
    transport = "udp"
    direct = False
    full = True
    end = "caller"
    takeovers = 1

    def __init__(self, test, center):
        self.test, self.node = test, center
        self.center = test.system.endpoint(center)
        self.access = test.system.endpoint("access-1")

    @property
    def name(self):
        return type(self).__name__

    def dial(self):
        """Answered at the center, audio flowing."""
        self.phone = self.test.phone(transport=self.transport, server=self.access)
        if self.direct:
            self.call = self.phone.dial(self.center, self.line, seconds=10, **self.options)
        else:
            self.call = land(self.test, self.node, self.try_dial)
        if self.call.stream:
            wait_for(lambda: self.heard() >= 5, 5, "audio")
        return self

    def try_dial(self):
        options = dict(self.options)
        if not self.full:
            options["ear"] = Ear(self.phone.ip)
        return self.phone.dial(self.access, self.line, seconds=10, **options)

    def heard(self):
        return self.call.stream.mark() if self.full else self.call.stream.meter.packets

    def prepare(self):
        """Before the kill."""

    def act(self, death):
        """In the gap: called at once after the kill, on the phones' clock; must not wait."""

    def finish(self, death):
        """After everybody had the time to be moved."""
        expect_moved(self.call, death)
        self.expect_audio(death)
        self.call.hang_up()

    def expect_audio(self, death, promise=PROMISE):
        mark = self.call.stream.mark()
        self.call.stream.wait_packets(5, 2, mark)
        gap = gap_of(self.call.stream.since(), death.civil - 0.1)
        in_time(gap <= promise, f"no audio for {gap:.2f} s")

    def cdrs(self):
        return [record for record in self.test.api.get("/api/v1/cdrs?limit=1000")
                if number_of(record["from"]) == self.phone.user and self.node in record["centers"][:1]
                and record["answered"] is not None and record["end"] is not None
                and abs_seconds(record) >= getattr(self, "least", 0)]

    def judge_record(self):
        rows = eventually(self.cdrs, 10, "CDR")
        # A call that landed elsewhere on the way was hung up there and has a record that does not name this center first.
        mine = [row for row in rows if row["takeovers"] == self.takeovers or row["end"] != "caller"] or rows
        expect(len(mine) == 1, f"{len(mine)} CDRs: {mine}")
        expect(mine[0]["end"] == self.end, f"CDR says {mine[0]['end']}, not {self.end}")
        expect(mine[0]["takeovers"] == self.takeovers, f"CDR says {mine[0]['takeovers']} takeovers")


def abs_seconds(record):
    return float(record.get("duration_s") or 0)


def answered_within(transaction, seconds):
    return wait_for(lambda: transaction.final, seconds,
                    lambda: f"final answer to {transaction.method} within {seconds} s (so far {transaction.responses})")


def at(death, seconds, action):
    LOOP.at(death.at + seconds, action)


def now():
    return time.monotonic()
