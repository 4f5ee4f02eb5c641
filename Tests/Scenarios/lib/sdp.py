"""Session descriptions of the test phones (RFC 8866), just enough to offer, answer and judge answers."""

import itertools
import re

_ids = itertools.count(1000)
NAMES = {0: "PCMU/8000", 8: "PCMA/8000", 3: "GSM/8000", 18: "G729/8000", 9: "G722/8000"}


class Local:
    def __init__(self, ip, port, codecs, telephone_event=101, ptime=None):
        self.ip, self.address, self.port = ip, ip, port
        self.codecs, self.telephone_event, self.ptime = list(codecs), telephone_event, ptime
        self.id, self.version, self.direction = next(_ids), 1, None

    def text(self):
        family = "IP6" if ":" in self.address else "IP4"
        formats = [*self.codecs, *([self.telephone_event] if self.telephone_event else [])]
        lines = ["v=0", f"o=phone {self.id} {self.version} IN {family} {self.ip}", "s=-", f"c=IN {family} {self.address}",
                 "t=0 0", f"m=audio {self.port} RTP/AVP {' '.join(map(str, formats))}"]
        lines += [f"a=rtpmap:{code} {NAMES[code]}" for code in self.codecs]
        if self.telephone_event:
            lines += [f"a=rtpmap:{self.telephone_event} telephone-event/8000", f"a=fmtp:{self.telephone_event} 0-16"]
        if self.ptime:
            lines.append(f"a=ptime:{self.ptime}")
        if self.direction:
            lines.append(f"a={self.direction}")
        return "\r\n".join(lines) + "\r\n"


class Section:
    def __init__(self, kind, port, protocol, formats):
        self.kind, self.port, self.protocol = kind, port, protocol
        self.formats = [int(f) if f.isdigit() else f for f in formats]
        self.maps, self.direction, self.address, self.ptime = {}, None, None, None

    @property
    def telephone_event(self):
        return next((code for code, name in self.maps.items()
                     if name.lower().startswith("telephone-event/") and code in self.formats), None)


class Remote:
    """A description that was received."""

    def __init__(self, text):
        self.text = text
        self.sections, self.origin, address, direction = [], None, None, None
        for line in text.splitlines():
            kind, _, value = line.strip().partition("=")
            section = self.sections[-1] if self.sections else None
            if kind == "m":
                media, port, protocol, *formats = value.split()
                self.sections.append(Section(media, int(port.split("/")[0]), protocol, formats))
                self.sections[-1].address, self.sections[-1].direction = address, direction
            elif kind == "o":
                self.origin = value.split()
            elif kind == "c":
                if section:
                    section.address = value.split()[2]
                else:
                    address = value.split()[2]
            elif kind == "a":
                name, _, content = value.partition(":")
                if name in ("sendrecv", "sendonly", "recvonly", "inactive"):
                    if section:
                        section.direction = name
                    else:
                        direction = name
                elif name == "rtpmap" and section:
                    code, encoding = content.split(" ", 1)
                    section.maps[int(code)] = encoding
                elif name == "ptime" and section:
                    section.ptime = int(float(content))

    @property
    def audio(self):
        return next((section for section in self.sections if section.kind == "audio"), None)

    def rest(self):
        """The lines besides o=, c= and the port in m=: what a new owner of the media leaves as it was."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip() and line[:2] not in ("o=", "c=")]
        return [re.sub(r"^(m=\w+) \d+ ", r"\1 * ", line) for line in lines]
