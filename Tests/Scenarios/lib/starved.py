"""How short of processor time the machine is: a process of its own that wants to wake every 5 ms and notes how late it
was. A starved machine proves nothing about a promise in seconds."""

import json
import subprocess
import sys
import time

EVERY = 0.005


def pressure():
    """Microseconds in which some process waited for a processor (PSI), since boot; None where the kernel does not say."""
    try:
        with open("/proc/pressure/cpu") as lines:
            return int(lines.readline().rpartition("total=")[2])
    except (OSError, ValueError):
        return None


class Starvation:
    """Measures while it is entered. `worst` is the longest that the observer waited for a processor, in seconds; `share`
    the part of the time in which some process of the machine waited."""

    worst, share = 0.0, None

    def __enter__(self):
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._began, self._pressure = time.monotonic(), pressure()
        return self

    def __exit__(self, *_):
        elapsed, after = time.monotonic() - self._began, pressure()
        try:
            said, _ = self._process.communicate(timeout=5)
            self.worst = json.loads(said)
        except (subprocess.TimeoutExpired, ValueError):
            self._process.kill()
            self._process.wait()
            self.worst = 5.0
        if after is not None and self._pressure is not None:
            self.share = (after - self._pressure) / 1e6 / elapsed

    @property
    def starved(self):
        return self.worst > 0.1 or (self.share or 0.0) > 0.9

    def __str__(self):
        share = "" if self.share is None else f", some process waited {self.share * 100:.0f} % of the time"
        return f"the observer waited up to {self.worst * 1000:.0f} ms for a processor{share}"


def measure():
    """Until standard input is closed."""
    import select
    worst = 0.0
    while True:
        due = time.monotonic() + EVERY
        if select.select([sys.stdin], [], [], EVERY)[0]:
            break
        worst = max(worst, time.monotonic() - due)
    print(json.dumps(worst))


if __name__ == "__main__":
    measure()
