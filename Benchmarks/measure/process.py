"""What a process, all its threads and its children cost: CPU seconds and resident memory, from /proc."""

import os

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """Fields of /proc/PID/stat after the command name, which may hold blanks: [0] is the state, [1] the parent."""
    with open(f"/proc/{pid}/stat") as line:
        return line.read().rpartition(")")[2].split()


def family(pid):
    """The process and its living descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = int(_stat(name)[1])
            except (FileNotFoundError, ProcessLookupError):
                pass
    members = [pid]
    for member in members:
        members += [child for child, parent in parents.items() if parent == member]
    return members


def cpu_seconds(pid):
    """User plus system time of the family, its ended threads included."""
    total = 0
    for member in family(pid):
        try:
            fields = _stat(member)
            total += int(fields[11]) + int(fields[12])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / TICKS


def resident_bytes(pid):
    """Proportional set size of the family, so that what forked workers share is counted once."""
    total = 0
    for member in family(pid):
        try:
            with open(f"/proc/{member}/smaps_rollup") as lines:
                total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            pass
    return total


def rss_bytes(pid):
    """Resident set of this one process, as `top` shows it."""
    with open(f"/proc/{pid}/status") as lines:
        for line in lines:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
