"""An RTP stream of a test phone: sends audio and digits paced at 20 ms, keeps what arrives with kernel time stamps."""

import collections
import os
import socket
import struct
import time

from . import audio
from .loop import LOOP, Failure, expect, wait_for

SO_TIMESTAMPNS = 35
Packet = collections.namedtuple("Packet", "at sequence timestamp ssrc marker payload_type payload source")


class Stream:
    """One RTP port. `remote` is set from the other side's description; nothing is sent before."""

    def __init__(self, ip, codec=8, sends=True):
        self.ip, self.codec, self.sends = ip, codec, sends
        self.event_type = None
        self.remote = None
        self.packets = []
        self.on_packet = None
        self.sent_at = {}
        self.socket = self._bind(ip)
        self.port = self.socket.getsockname()[1]
        self.ssrc = int.from_bytes(os.urandom(4), "big")
        self.sequence = int.from_bytes(os.urandom(2), "big") >> 1
        self.timestamp = int.from_bytes(os.urandom(4), "big") >> 1
        self.sent = 0
        self._first = True
        self._queue = collections.deque()
        self._timer = None
        self._due = None
        self._closed = False
        LOOP.add(self.socket, self._readable)

    @staticmethod
    def _bind(ip):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        while True:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.bind((ip, 0))
            if sock.getsockname()[1] % 2 == 0:
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                return sock
            sock.close()

    # Sending

    def start(self, remote):
        with LOOP.lock:
            self.remote = remote
            if self.sends and self._timer is None and not self._closed:
                self._due = time.monotonic()
                self._timer = LOOP.at(self._due, self._tick)

    def play(self, frames):
        """Queues payloads of 20 ms; silence follows them."""
        with LOOP.lock:
            self._queue.extend(("audio", frame) for frame in frames)

    def press(self, digits, milliseconds=100, gap=80, lose_first=0, ends=3, volume=10, event_type=None):
        """Queues RFC 4733 events. `lose_first` drops that many packets of each event, the marked one among them."""
        event_type = event_type or self.event_type
        expect(event_type, "the other side took no telephone-event")
        steps = max(1, milliseconds // 20)
        with LOOP.lock:
            for digit in digits:
                event = digit if isinstance(digit, int) else audio.DIGITS.index(digit)
                for step in range(steps):
                    self._queue.append(("event", event_type, event, volume, step, (step + 1) * 160,
                                        ends if step == steps - 1 else 0, step < lose_first))
                for _ in range(max(1, gap // 20)):
                    self._queue.append(("audio", audio.SILENCE[self.codec]))

    def press_tone(self, digits, milliseconds=120, gap=120):
        """Queues in-band tones (ITU-T Q.23)."""
        for digit in digits:
            self.play(audio.tone(audio.FREQUENCIES[digit], milliseconds, self.codec))
            self.play([audio.SILENCE[self.codec]] * (gap // 20))

    @property
    def idle(self):
        return not self._queue

    def wait_sent(self, seconds=20):
        wait_for(lambda: self.idle, seconds, "end of what the phone had to send")

    def _tick(self):
        if self._closed or self.remote is None:
            self._timer = None
            return
        if self.sends:
            item = self._queue.popleft() if self._queue else ("audio", audio.SILENCE[self.codec])
            if item[0] == "audio":
                self._send(self.codec, self._first, self.timestamp, item[1])
                self._first = False
                self.sent_at[item[1]] = time.time()
            else:
                self._send_event(*item[1:])
            self.timestamp = (self.timestamp + 160) & 0xFFFFFFFF
        self._due += 0.02
        now = time.monotonic()
        if self._due < now - 0.2:
            self._due = now
        self._timer = LOOP.at(self._due, self._tick)

    def _send_event(self, event_type, event, volume, step, duration, ends, lost):
        if step == 0:
            self._event_start = self.timestamp
        if not ends or step > 0:
            self._event_packet(event_type, event, volume, duration, step == 0, False, lost)
        for _ in range(ends):
            self._event_packet(event_type, event, volume, duration, step == 0, True, False)

    def _event_packet(self, event_type, event, volume, duration, marker, end, lost):
        payload = struct.pack("!BBH", event, (0x80 if end else 0) | volume, duration)
        self._send(event_type, marker, self._event_start, payload, lost)

    def _send(self, payload_type, marker, timestamp, payload, lost=False):
        header = struct.pack("!BBHII", 0x80, (0x80 if marker else 0) | payload_type, self.sequence, timestamp, self.ssrc)
        self.sequence = (self.sequence + 1) & 0xFFFF
        if lost:
            return
        try:
            self.socket.sendto(header + payload, self.remote)
            self.sent += 1
        except OSError:
            pass  # A closed or unreachable port is the other side's business; the stream goes on.

    def send_raw(self, data):
        with LOOP.lock:
            self.socket.sendto(data, self.remote)

    def close(self):
        with LOOP.lock:
            if not self._closed:
                self._closed = True
                LOOP.remove(self.socket)
                self.socket.close()

    # Receiving

    def _readable(self):
        for _ in range(64):
            try:
                data, ancillary, _, source = self.socket.recvmsg(2048, 64)
            except (BlockingIOError, OSError):
                return
            at = time.time()
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", content[:16])
                    at = seconds + nanoseconds / 1e9
            if len(data) < 12 or data[0] >> 6 != 2:
                continue
            _, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
            offset = 12 + 4 * (data[0] & 15)
            self.packets.append(Packet(at, sequence, timestamp, ssrc, bool(second & 0x80), second & 0x7F,
                                       data[offset:], source))
            if self.on_packet:
                self.on_packet(self.packets[-1])

    def mark(self):
        """A place in what was received: use it to look only at what comes later."""
        with LOOP.lock:
            return len(self.packets)

    def since(self, mark=0):
        with LOOP.lock:
            return self.packets[mark:]

    def wait_packets(self, count=1, seconds=2, mark=0):
        wait_for(lambda: len(self.packets) >= mark + count, seconds,
                 lambda: f"RTP ({count} packets wanted, {len(self.packets) - mark} came)")

    def wait_loud(self, seconds=5, mark=0, threshold=200):
        """Waits for audible audio and returns the packet."""
        position = [mark]

        def heard():
            while position[0] < len(self.packets):
                packet = self.packets[position[0]]
                position[0] += 1
                if audio.loudness(packet.payload, packet.payload_type) > threshold:
                    return packet
            return None
        return wait_for(heard, seconds, lambda: f"audible audio ({len(self.packets) - mark} packets came)")

    def wait_quiet(self, seconds=20, frames=15, threshold=60):
        """Waits until the last `frames` frames were silence: a prompt has ended."""
        return wait_for(lambda: len(self.packets) >= frames and all(
            audio.loudness(p.payload, p.payload_type) < threshold for p in self.packets[-frames:]), seconds, "end of the prompt")

    def events(self, mark=0):
        """The digits that arrived as RFC 4733 events: one for each time stamp that has an end packet."""
        ended = {}
        for packet in self.since(mark):
            if packet.payload_type == self.event_type and len(packet.payload) >= 4 and packet.payload[1] & 0x80:
                ended.setdefault((packet.ssrc, packet.timestamp), audio.DIGITS[packet.payload[0] & 15])
        return "".join(ended.values())

    def report(self, mark=0):
        return Report(self.since(mark))


class Report:
    """What is right and wrong about a run of received packets of 20 ms G.711."""

    def __init__(self, packets):
        self.packets = packets
        self.count = len(packets)
        self.span = packets[-1].at - packets[0].at if self.count > 1 else 0.0
        self.rate = (self.count - 1) / self.span if self.span > 0 else 0.0
        gaps = sorted(b.at - a.at for a, b in zip(packets, packets[1:]))
        self.gap_max = gaps[-1] if gaps else 0.0
        self.gap_p99 = gaps[int(len(gaps) * 0.99)] if gaps else 0.0
        self.ssrcs = list(dict.fromkeys(p.ssrc for p in packets))
        self.markers = sum(p.marker for p in packets)
        self.sequence_errors = self.timestamp_errors = 0
        for before, after in zip(packets, packets[1:]):
            if before.ssrc != after.ssrc:
                continue
            step = (after.sequence - before.sequence) & 0xFFFF
            self.sequence_errors += step != 1
            if (after.timestamp - before.timestamp) & 0xFFFFFFFF != step * 160:
                self.timestamp_errors += 1
        self.odd_sizes = sum(len(p.payload) != 160 for p in packets)

    @property
    def loud_share(self):
        return sum(audio.loudness(p.payload, p.payload_type) > 100 for p in self.packets) / max(1, self.count)

    def expect_steady(self, rate=(49, 51), gap_p99=0.060):
        """50 packets a second, one source, every sequence number and time stamp in its place."""
        if self.count < 10:
            raise Failure(f"only {self.count} RTP packets")
        expect(len(self.ssrcs) == 1, f"{len(self.ssrcs)} SSRCs in one stream")
        expect(self.sequence_errors == 0, f"{self.sequence_errors} jumps of the RTP sequence number")
        expect(self.timestamp_errors == 0, f"{self.timestamp_errors} RTP time stamps not 160 a packet after the last")
        expect(self.odd_sizes == 0, f"{self.odd_sizes} payloads that are not 20 ms")
        expect(rate[0] <= self.rate <= rate[1], f"{self.rate:.2f} packets/s instead of 50")
        expect(self.gap_p99 <= gap_p99, f"p99 gap {self.gap_p99 * 1000:.0f} ms")
