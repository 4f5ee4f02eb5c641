"""The load of a chaos run: callers that listen for a while, and customers who move money, each judged by itself."""

import itertools
import random
import threading
import time

from . import hearing
from .crowd import number_of
from .customer import PIN
from .ear import READER, Ear
from .loop import LOOP, Failure
from .phone import Phone

ASKED = ("enter-customer-number", "enter-pin")
ANSWERS = ("transfer-done", "transfer-refused", "transfer-unknown", "transfer-unavailable", "transfer-cancelled", "bank-unavailable")


class Listeners:
    """Calls that arrive at a steady rate, hold between `shortest` and `longest` seconds, and hang up."""

    def __init__(self, to, ip, rate, seed, shortest=6, longest=40, lines=("9664", "9664", "95533")):
        self.calls, self._to, self._rate, self._lines = [], to, rate, lines
        self._random = random.Random(seed)
        self._hold = shortest, longest
        self._phones = [Phone(ip) for _ in range(12)]
        self._ip = ip
        self._numbers = itertools.count(1)
        self._ends = False
        LOOP.after(0.05, self._place)

    def _place(self):
        if self._ends:
            return
        number = next(self._numbers)
        phone = self._phones[number % len(self._phones)]
        call = phone.call(self._to, self._lines[number % len(self._lines)], ear=Ear(self._ip), user=f"71{number:08d}")
        call.hold = self._random.uniform(*self._hold)
        call.placed = time.monotonic()
        self.calls.append(call)
        self._watch(call)
        LOOP.after(self._random.expovariate(self._rate) if self._rate else 1.0, self._place)

    def _watch(self, call):
        def look():
            if call.state == "calling" and time.monotonic() - call.placed < 33:
                LOOP.after(0.2, look)
            elif call.state == "answered":
                left = call.answered_at + call.hold - time.monotonic()
                if left > 0 and not self._ends:
                    LOOP.after(min(left, 1.0), look)
                else:
                    READER.read_all() if self._ends else call.stream.read()
                    call.gap = call.stream.meter.until(time.time())
                    call.heard = call.stream.meter
                    call.bye()
        LOOP.after(0.2, look)

    def end(self):
        """No more calls; those that are up hang up within two seconds."""
        self._ends = True
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline and any(
                call.state in ("calling", "answered") or (call.final_requests and not call.final_requests[-1].final)
                for call in self.calls):
            LOOP.let_pass(0.2)

    def close(self):
        for phone in self._phones:
            phone.close()


class Payments:
    """Customers who call, log in, transfer, and listen to what becomes of it; one thread each, one transfer a call."""

    def __init__(self, hosts, api, to, ip, count, pairs):
        self.ears = hearing.Ears(hosts.state / "prompts", "en", (*ANSWERS, *ASKED))
        self._api, self._to, self._ip = api, to, ip
        self._pairs = iter(pairs)
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self.attempts = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self):
        while not self._ends.is_set():
            with self._lock:
                pair = next(self._pairs, None)
            if pair is None:
                return
            attempt = Attempt(*pair)
            self.attempts.append(attempt)
            phone = Phone(self._ip)
            try:
                self._one(attempt, phone)
            except Failure as failure:
                attempt.problem = str(failure)
            except Exception as error:
                attempt.problem = f"{type(error).__name__}: {error}"
            finally:
                phone.close()
            self._ends.wait(0.3)

    def _one(self, attempt, phone):
        attempt.user = phone.user
        call = phone.call(self._to, "95533")
        attempt.call = call
        call.wait_answer(10)
        keys = {"language": "2", "main": "1", "enter-customer-number": attempt.payer + "#", "enter-pin": PIN + "#",
                "banking": "3", "transfer-payee": attempt.payee, "transfer-amount": "3*00#", "transfer-confirm": "1"}
        deadline = time.monotonic() + 60
        confirmed = None
        last, pressed_at = None, 0.0
        while time.monotonic() < deadline and call.state == "answered":
            if confirmed is not None:
                told = [name for at, name, share in self.ears.heard(call.stream.since(confirmed[1]))
                        if at >= confirmed[0] and share >= 0.5 and name in ANSWERS]
                if told:
                    attempt.told = told[-1]
                    break
            state = self._state(phone.user)
            if state == "login":
                asked = [name for _, name, _ in self.ears.heard(call.stream.since()) if name in ASKED]
                state = asked[-1] if asked else None
            if state in keys and (state != last or time.monotonic() - pressed_at > 6):
                if state == "banking" and confirmed is not None:
                    if time.monotonic() - pressed_at > 8:
                        break
                else:
                    if state == "transfer-confirm" and confirmed is None:
                        confirmed = (time.time(), call.stream.mark())
                    call.stream.press(keys[state], milliseconds=80, gap=60)
                    call.stream.wait_sent(30)
                    last, pressed_at = state, time.monotonic()
            LOOP.let_pass(0.25)
        attempt.confirmed = confirmed is not None
        attempt.dropped = call.state == "ended" and call.ended_by == "them" and not attempt.told
        if call.state == "answered":
            call.hang_up()
            attempt.hung_up = True

    def _state(self, user):
        live = self._api(user)
        return live["state"] if live else None

    def end(self, seconds=45):
        self._ends.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


class Attempt:
    """One customer's call for one transfer of 3.00; payer and payee occur in no other attempt."""

    amount = 300

    def __init__(self, payer, payee):
        self.payer, self.payee = payer, payee
        self.user = self.call = self.told = self.problem = None
        self.confirmed = self.dropped = self.hung_up = False


class LiveCalls:
    """The live calls as any master tells them, asked at most every 150 ms for all who want to know."""

    def __init__(self, apis):
        self._apis, self._lock = apis, threading.Lock()
        self._at, self._calls = 0.0, {}

    def __call__(self, user):
        with self._lock:
            if time.monotonic() - self._at > 0.15:
                for api in list(self._apis):
                    try:
                        self._calls = {number_of(call["from"]): call for call in api.get("/api/v1/calls")}
                        break
                    except (Failure, OSError):
                        self._apis.remove(api)
                        self._apis.append(api)
                self._at = time.monotonic()
            return self._calls.get(user)
