"""One thread that serves every socket and timer of the test phones, and the lock and condition scenarios wait on.

Everything a phone knows is changed under `LOOP.lock`; every change is announced on `LOOP.changed`, so a scenario
waits for events with a deadline instead of sleeping.
"""

import heapq
import itertools
import os
import selectors
import socket
import threading
import time
import traceback


class Failure(AssertionError):
    """What a scenario expected and did not get."""


class Loop:
    def __init__(self):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.errors = []
        self._selector = selectors.DefaultSelector()
        self._timers = []
        self._order = itertools.count()
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain)
        self._thread = threading.Thread(target=self._run, name="phones", daemon=True)
        self._thread.start()

    def add(self, sock, on_readable):
        with self.lock:
            self._selector.register(sock, selectors.EVENT_READ, on_readable)
        self.wake()

    def remove(self, sock):
        with self.lock:
            try:
                self._selector.unregister(sock)
            except (KeyError, ValueError):
                pass

    def at(self, moment, action):
        """Runs `action` at a time.monotonic() moment; returns a timer that can be cancelled by `.cancel()`."""
        timer = Timer(moment, next(self._order), action)
        with self.lock:
            heapq.heappush(self._timers, timer)
            first = self._timers[0] is timer
        if first and threading.current_thread() is not self._thread:
            self.wake()
        return timer

    def after(self, seconds, action):
        return self.at(time.monotonic() + seconds, action)

    def wake(self):
        try:
            self._wake_write.send(b"!")
        except OSError:
            pass

    def wait_for(self, predicate, seconds, what):
        """Waits until `predicate()` is true and returns its value; `what` says what was waited for."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                value = predicate()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failure(f"no {what() if callable(what) else what} within {seconds:g} s")
                self.changed.wait(min(left, 0.25))

    def let_pass(self, seconds):
        """Keeps phones running for a stretch that is itself what a scenario measures."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while (left := deadline - time.monotonic()) > 0:
                self.changed.wait(left)

    def _drain(self):
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _run(self):
        while True:
            with self.lock:
                timeout = None
                if self._timers:
                    timeout = max(0.0, self._timers[0].moment - time.monotonic())
            ready = self._selector.select(timeout)
            with self.changed:
                for key, _ in ready:
                    if key.fileobj.fileno() >= 0:
                        self._call(key.data)
                now = time.monotonic()
                while self._timers and self._timers[0].moment <= now:
                    timer = heapq.heappop(self._timers)
                    if timer.action:
                        self._call(timer.action)
                self.changed.notify_all()

    def _call(self, action):
        try:
            action()
        except Exception:
            self.errors.append(traceback.format_exc())


class Timer:
    __slots__ = ("moment", "order", "action")

    def __init__(self, moment, order, action):
        self.moment, self.order, self.action = moment, order, action

    def __lt__(self, other):
        return (self.moment, self.order) < (other.moment, other.order)

    def cancel(self):
        self.action = None


LOOP = Loop()


def wait_for(predicate, seconds, what):
    return LOOP.wait_for(predicate, seconds, what)


def eventually(attempt, seconds, what, every=0.1):
    """Asks again and again (an API, a file) until the answer is truthy; returns it."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        last = attempt()
        if last:
            return last
        if time.monotonic() >= deadline:
            raise Failure(f"no {what() if callable(what) else what} within {seconds:g} s")
        LOOP.let_pass(min(every, max(0.0, deadline - time.monotonic())))


def expect(condition, message):
    if not condition:
        raise Failure(message() if callable(message) else message)
    return condition


def random_hex(octets=8):
    return os.urandom(octets).hex()
