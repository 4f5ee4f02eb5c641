"""How scenarios are declared and what they are handed."""

import itertools
import pathlib

from . import sippcaller
from .loop import LOOP
from .phone import Phone

ALL = []


class Scenario:
    def __init__(self, function, group, system, order, background):
        self.function, self.group, self.system, self.order, self.background = function, group, system, order, background
        self.name = f"{group}/{function.__name__}"


def scenario(group, system="demo", order=50, background=False):
    """Registers a scenario. `system` names the profile set it needs (None: none). Lower `order` runs earlier; what kills
    or breaks things comes last. `background` ones mostly wait: they run beside the others of their system."""
    def register(function):
        ALL.append(Scenario(function, group, system, order, background))
        return function
    return register


class Test:
    """What one scenario works with; everything it opened is closed when it ends."""

    _numbers = itertools.count(1)

    def __init__(self, name, system, folder):
        self.name, self.system = name, system
        self.folder = pathlib.Path(folder) / f"{next(Test._numbers):03d}-{name.replace('/', '-')}"
        self.folder.mkdir(parents=True)
        self._phones = []

    @property
    def api(self):
        return self.system.api

    def note(self, text):
        """Something measured that is worth reading also when all is well."""
        print(f"      {self.name}: {text}", flush=True)

    def phone(self, **options):
        phone = Phone(**options)
        self._phones.append(phone)
        return phone

    def sipp(self, to, scenario="uac", **options):
        return sippcaller.run(self.folder, to, scenario, **options)

    def close(self):
        for phone in self._phones:
            phone.close()
        with LOOP.lock:
            problems, LOOP.errors[:] = list(LOOP.errors), []
        if problems:
            (self.folder / "phone-errors.log").write_text("\n".join(problems))
        return problems
