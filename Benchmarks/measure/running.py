"""Starting and ending the processes of a measurement: always by the pid that was started here."""

import atexit
import select
import signal
import socket
import subprocess
import time

_running = []


def start(arguments, log, **options):
    """Starts a process whose output goes to the file `log`; it ends with this program at the latest."""
    with open(log, "ab") as output:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
    _running.append(process)
    return process


def adopt(process):
    """Makes sure that a process started elsewhere in this program ends with it."""
    _running.append(process)


def end(process, patience_s=5):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process in _running:
        _running.remove(process)


@atexit.register
def _end_all():
    for process in list(_running):
        end(process, 1)


def pause(seconds):
    """Lets a measurement run for its length."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        select.select([], [], [], left)


def udp_port_is_taken(port):
    """True once somebody is bound to the port: how we see that a SIP process listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        pause(0.05)
