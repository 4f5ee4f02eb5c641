#!/usr/bin/env python3
"""Black-box scenarios against real Tandem processes.

    run.py                     everything
    run.py --group conformance one group
    run.py --only hold         scenarios whose name contains the text
    run.py --list              what there is
    run.py --keep              keep logs and states also when all passed

The binary is .build/release/tandem, or what the environment variable TANDEM names.
"""

import argparse
import importlib
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lib import scenario as scenarios  # noqa: E402
from lib import system as systems  # noqa: E402
from lib.loop import Failure  # noqa: E402


def load():
    for file in sorted((HERE / "scenarios").glob("*.py")):
        if file.stem != "__init__":
            importlib.import_module(f"scenarios.{file.stem}")
    return importlib.import_module("scenarios").SYSTEMS


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.passed = self.failed = 0
        self._lock = threading.Lock()

    def report(self, name, problem, seconds):
        with self._lock:
            if problem is None:
                self.passed += 1
                print(f"ok    {name}  {seconds:.1f} s", flush=True)
            else:
                self.failed += 1
                print(f"FAIL  {name}: {problem}", flush=True)

    def one(self, item, system, watched=True):
        test = scenarios.Test(item.name, system, self.folder)
        began = time.monotonic()
        problem = None
        try:
            item.function(test)
        except Failure as failure:
            problem = str(failure)
        except Exception as error:
            (test.folder / "exception.log").write_text(traceback.format_exc())
            last = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"{type(error).__name__}: {error} ({pathlib.Path(last.filename).name}:{last.lineno})"
        wrong = test.close()
        if wrong and problem is None:
            problem = f"the phone could not read what came: {wrong[0].strip().splitlines()[-1]}"
        if watched and system:
            for node in system.dead():
                problem = f"{problem + '; ' if problem else ''}{node} died: see {system.state}/log/{node}.log"
                try:
                    system.restart(node)
                except (Failure, OSError) as failure:
                    problem += f"; {failure}"
                    system.expected_down.add(node)
        if problem:
            problem += f"  [logs: {test.folder}]"
        self.report(item.name, problem, time.monotonic() - began)

    def group(self, system_name, derive, items):
        system = None
        if system_name is not None:
            system = systems.System(system_name, self.folder, derive)
            try:
                system.start()
            except (Failure, OSError) as failure:
                self.report(f"system {system_name}", f"{failure}; {len(items)} scenarios were not run  [logs: {system.folder}]", 0)
                self.failed += len(items) - 1
                system.stop()
                return
        try:
            waiting = [threading.Thread(target=self.one, args=(item, system, False), daemon=True)
                       for item in items if item.background]
            for thread in waiting:
                thread.start()
            calm = [item for item in items if not item.background and item.order < 90]
            rough = [item for item in items if not item.background and item.order >= 90]
            for item in calm:
                self.one(item, system)
            for thread in waiting:
                thread.join()
            for item in rough:
                self.one(item, system)
        finally:
            if system:
                system.stop()


def main():
    parser = argparse.ArgumentParser(description="Black-box scenarios against real Tandem processes.")
    parser.add_argument("--group")
    parser.add_argument("--only")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    derivations = load()
    chosen = [item for item in scenarios.ALL
              if (not options.group or options.group == item.group) and (not options.only or options.only in item.name)]
    if options.list:
        for item in chosen:
            print(f"{item.name:60} {(item.function.__doc__ or '').strip().partition(chr(10))[0]}".rstrip())
        return 0
    if not chosen:
        print("no scenario has that name or group: see --list", file=sys.stderr)
        return 2
    if not systems.TANDEM.exists():
        print(f"{systems.TANDEM} is missing: run 'make build' first", file=sys.stderr)
        return 2
    if shutil.which("sipp") is None:
        print("SIPp is missing: run 'make deps-test' (Debian package sip-tester)", file=sys.stderr)
        return 2
    if not systems.SHIPPED.is_dir():
        print(f"{systems.SHIPPED} is missing", file=sys.stderr)
        return 2
    addresses = {getattr(derivations[item.system], "address", systems.HOME) for item in chosen if item.system is not None}
    busy = sorted({port for address in addresses for port in systems.busy_ports(address)})
    if busy:
        print(f"ports {', '.join(map(str, busy))} are in use: stop the Tandem that runs here (or what else listens) and try again",
              file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tandem-scenarios-"))
    run = Run(folder)
    try:
        for name, derive in derivations.items():
            items = sorted((item for item in chosen if item.system == name), key=lambda item: item.order)
            missing = getattr(derive, "needs", lambda: None)()
            if items and missing:
                for item in items:
                    print(f"skip  {item.name}: {missing}", flush=True)
            elif items:
                run.group(name, derive, items)
    except KeyboardInterrupt:
        run.report("interrupted", "by the keyboard", 0)
    if run.failed or options.keep:
        print(f"logs and states are kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
