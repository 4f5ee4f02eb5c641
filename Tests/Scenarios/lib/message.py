"""SIP messages as the test phones see them: written from RFC 3261, sharing nothing with the product."""

import re

COMPACT = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "k": "supported", "e": "content-encoding", "s": "subject", "x": "session-expires", "o": "event",
}


class Message:
    """A start line, header lines in order, and a body."""

    def __init__(self, start, headers, body=b""):
        self.start, self.headers, self.body = start, headers, body
        self.is_response = start.startswith("SIP/2.0 ")
        if self.is_response:
            _, status, *reason = start.split(" ", 2)
            self.status, self.reason, self.method, self.uri = int(status), (reason or [""])[0], None, None
        else:
            self.status, self.reason = None, None
            self.method, self.uri = (start.split(" ") + ["", ""])[:2]

    @staticmethod
    def parse(data):
        head, separator, body = data.partition(b"\r\n\r\n")
        if not separator:
            raise ValueError("no empty line after the headers")
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"header line without a colon: {line!r}")
            name = name.strip().lower()
            headers.append((COMPACT.get(name, name), value.strip()))
        return Message(lines[0], headers, body)

    def get(self, name, default=None):
        name = name.lower()
        return next((value for key, value in self.headers if key == name), default)

    def all(self, name):
        """All values, those on one line split at commas outside quotes and angle brackets."""
        name = name.lower()
        return [part for key, value in self.headers if key == name for part in split_values(value)]

    @property
    def branch(self):
        return parameter(self.all("via")[0], "branch")

    @property
    def cseq(self):
        number, method = self.get("cseq").split()
        return int(number), method

    @property
    def call_id(self):
        return self.get("call-id")

    def tag(self, header):
        return parameter(self.get(header, ""), "tag")

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return self.start


def split_values(value):
    parts, depth, quoted, current = [], 0, False, ""
    for character in value:
        if character == '"':
            quoted = not quoted
        elif not quoted and character == "<":
            depth += 1
        elif not quoted and character == ">":
            depth -= 1
        if character == "," and not quoted and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return parts + [current.strip()]


def parameter(value, name):
    """A header parameter: what stands after the last '>' (or in the bare value), split at ';'."""
    tail = value.rpartition(">")[2] if ">" in value else value
    for part in tail.split(";")[1:] if ">" not in value else tail.split(";"):
        key, _, content = part.partition("=")
        if key.strip().lower() == name:
            return content.strip() or True
    return None


def bare_uri(value):
    """The URI of a name-addr or addr-spec."""
    found = re.search(r"<([^>]*)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


def address_of(uri):
    """(host, port) of a sip URI; IPv6 hosts without their brackets."""
    found = re.match(r"sips?:(?:[^@]*@)?(\[[^\]]+\]|[^:;?>]+)(?::(\d+))?", uri)
    if not found:
        raise ValueError(f"not a SIP URI: {uri}")
    return found.group(1).strip("[]"), int(found.group(2) or 5060)


def uri_parameter(uri, name):
    for part in uri.split("?")[0].split(";")[1:]:
        key, _, content = part.partition("=")
        if key.lower() == name:
            return content or True
    return None


def host_text(ip):
    return f"[{ip}]" if ":" in ip else ip


def build(start, headers, body=b""):
    """Bytes of a message; Content-Length is added unless given."""
    if isinstance(body, str):
        body = body.encode()
    lines = [start] + [f"{name}: {value}" for name, value in headers]
    if not any(name.lower() in ("content-length", "l") for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
