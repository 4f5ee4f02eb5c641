"""Listening for hundreds of callers at once: a port that keeps when packets came and from whom, not what was in them.

All ears are read by one timer every 100 ms; the kernel stamps arrivals when they happen, so what is measured does not
depend on when it is read.
"""

import socket
import struct
import time

from .loop import LOOP
from .rtp import SO_TIMESTAMPNS, Stream

READ_EVERY = 0.1


class Ear:
    """An RTP port that only listens. Stands where a call keeps its `stream`."""

    def __init__(self, ip="127.0.0.1"):
        self.ip, self.codec, self.event_type, self.remote = ip, 8, None, None
        self.socket = Stream._bind(ip)
        self.port = self.socket.getsockname()[1]
        self.meter = GapMeter()
        self._closed = False
        READER.add(self)

    def start(self, remote):
        self.remote = remote

    def close(self):
        with LOOP.lock:
            if not self._closed:
                self.read()
                self._closed = True
                READER.remove(self)
                self.socket.close()

    def read(self):
        for _ in range(200):
            try:
                data, ancillary, _, source = self.socket.recvmsg(256, 64)
            except OSError:
                return
            if len(data) < 12 or data[0] >> 6 != 2:
                continue
            at = time.time()
            if ancillary and ancillary[0][1] == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
                at = seconds + nanoseconds / 1e9
            self.meter.heard(at, data[8:12], source)


class Reader:
    def __init__(self):
        self._ears = set()
        self._timer = None

    def add(self, ear):
        with LOOP.lock:
            self._ears.add(ear)
            if self._timer is None:
                self._timer = LOOP.after(READ_EVERY, self._tick)

    def remove(self, ear):
        self._ears.discard(ear)

    def _tick(self):
        self._timer = None
        for ear in list(self._ears):
            ear.read()
        if self._ears:
            self._timer = LOOP.after(READ_EVERY, self._tick)

    def read_all(self):
        with LOOP.lock:
            for ear in list(self._ears):
                ear.read()


READER = Reader()


class GapMeter:
    """The longest time without a packet from whoever the present media is: once a new synchronisation source (RFC 3550)
    spoke, packets of former ones count as `late`, not as audio."""

    def __init__(self):
        self.packets = 0
        self.first = self.last = None
        self.source = self.ssrc = None
        self.changes = []
        self.late = []
        self.restart()
        self._former = set()

    def restart(self):
        """Measures anew from the last packet on."""
        self.gap, self.gap_from, self.gap_to = 0.0, None, None

    def heard(self, at, ssrc, source):
        if (ssrc, source) != (self.ssrc, self.source):
            if (ssrc, source) in self._former:
                self.late.append((at, source))
                return
            if self.source is not None:
                self._former.add((self.ssrc, self.source))
                self.changes.append((at, source))
            self.ssrc, self.source = ssrc, source
        self.packets += 1
        if self.last is None:
            self.first = at
        elif at - self.last > self.gap:
            self.gap, self.gap_from, self.gap_to = at - self.last, self.last, at
        self.last = at

    def until(self, now):
        """The longest gap, counting the one that is still open at `now` (time.time())."""
        return max(self.gap, now - self.last) if self.last is not None else float("inf")


def gap_of(packets, since=0.0, until=None):
    """The same for the kept packets of a whole stream, from the last one before `since` on."""
    meter = GapMeter()
    for packet in packets:
        if meter.last is not None and packet.at >= since and meter.last < since:
            meter.restart()
        meter.heard(packet.at, packet.ssrc, packet.source)
    return meter.until(until) if until is not None else meter.gap
