"""Many callers with ears: each with a calling number of its own, so that each has a CDR of its own."""

import itertools
import time

from .ear import READER, Ear
from .loop import LOOP, Failure, wait_for

_numbers = itertools.count(1)


class Crowd:
    """Dials `count` calls at `rate` a second; every one listens. `lines` are taken in turn."""

    def __init__(self, test, to, count, rate=60, lines=("9664", "95533"), phones=8):
        self.calls = []
        self._phones = [test.phone() for _ in range(phones)]
        self._to, self._lines, self.count = to, lines, count
        start = time.monotonic() + 0.05
        for number in range(count):
            LOOP.at(start + number / rate, lambda n=number: self._place(n))

    def _place(self, number):
        phone = self._phones[number % len(self._phones)]
        self.calls.append(phone.call(self._to, self._lines[number % len(self._lines)], ear=Ear(phone.ip),
                                     user=f"70{next(_numbers):08d}"))

    def wait_answered(self, seconds=30):
        wait_for(lambda: len(self.calls) == self.count and all(call.state != "calling" for call in self.calls), seconds,
                 lambda: f"answer to all of {self.count} calls ({sum(c.state == 'calling' for c in self.calls)} are open)")
        refused = [call.status for call in self.calls if call.state != "answered"]
        if refused:
            raise Failure(f"{len(refused)} of {self.count} calls were not answered: {sorted(set(refused))}")
        wait_for(lambda: all(call.stream.meter.packets >= 5 for call in self.calls), 5, "audio for every caller")
        return self

    def of(self, center):
        """The calls whose Contact is that SIP address."""
        return [call for call in self.calls if call.center == center]

    def restart_meters(self):
        with LOOP.lock:
            READER.read_all()
            for call in self.calls:
                call.stream.meter.restart()

    def gaps(self):
        """The longest gap of each caller so far, worst first: (seconds, call)."""
        with LOOP.lock:
            READER.read_all()
            now = time.time()
            return sorted(((call.stream.meter.until(now), call) for call in self.calls if call.state == "answered"),
                          key=lambda one: -one[0])

    def hang_up(self, rate=100, seconds=10):
        """Every one hangs up; returns the statuses that were no 200."""
        start = time.monotonic()
        ended = [call for call in self.calls if call.state == "answered"]
        for number, call in enumerate(ended):
            LOOP.at(start + number / rate, call.bye)
        byes = []
        try:
            wait_for(lambda: all(call.final_requests and call.final_requests[-1].final for call in ended),
                     seconds + len(ended) / rate, "answers to BYE")
        except Failure:
            pass
        for call in ended:
            last = call.final_requests[-1].final if call.final_requests else None
            byes.append(last.status if last else None)
        return [status for status in byes if status != 200]


def records(test, calls, seconds=10):
    """{calling number: [CDR, …]} of these calls, once every one has at least one (or when time is up)."""
    wanted = {call.user for call in calls}
    deadline = time.monotonic() + seconds
    while True:
        found = {}
        for record in test.api.get("/api/v1/cdrs?limit=1000"):
            user = number_of(record["from"])
            if user in wanted:
                found.setdefault(user, []).append(record)
        if len(found) == len(wanted) or time.monotonic() > deadline:
            return found
        LOOP.let_pass(0.2)


def number_of(text):
    """The calling number in what the API says of a caller: a number, or a URI."""
    text = str(text)
    return text.partition(":")[2].partition("@")[0] if "@" in text else text


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0.0
