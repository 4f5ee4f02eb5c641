"""The scenarios, a module a subject. SYSTEMS: the profile sets they run on, in the order in which they are started."""

from . import derived

SYSTEMS = {None: None, "demo": derived.demo, "narrow": derived.narrow, "six": derived.six, "pair": derived.pair,
           "trio": derived.trio, "tight": derived.tight, "masters": derived.masters,
           "shared": derived.shared}
