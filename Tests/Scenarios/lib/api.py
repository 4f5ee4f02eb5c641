"""The master's API and the health and metrics pages of every node."""

import json
import pathlib
import re
from http.client import HTTPConnection, HTTPException

from .loop import Failure, eventually


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failure(f"not JSON (status {self.status}): {self.text[:200]!r}") from None


def http(port, path, method="GET", headers=None, body=None, timeout=5, host="127.0.0.1"):
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    except (OSError, HTTPException) as problem:
        raise Failure(f"{method} http://{host}:{port}{path}: {problem or type(problem).__name__}") from None
    finally:
        connection.close()


def is_in(call, state):
    return call["state"] == state or str(call["state"]).startswith(state + "-")


class API:
    def __init__(self, state, port=8080, host="127.0.0.1"):
        self.state, self.port, self.host = pathlib.Path(state), port, host

    @property
    def token(self):
        return (self.state / "secrets" / "api-token").read_text().strip()

    def ask(self, path, method="GET", token=None):
        return http(self.port, path, method, {"Authorization": f"Bearer {token or self.token}"}, host=self.host)

    def get(self, path):
        reply = self.ask(path)
        if reply.status != 200:
            raise Failure(f"GET {path} was answered {reply.status}: {reply.text[:200]}")
        return reply.json

    def nodes(self):
        return {node["name"]: node for node in self.get("/api/v1/nodes")}

    def wait_node(self, name, states, seconds):
        states = (states,) if isinstance(states, str) else states
        last = [None]

        def there():
            last[0] = self.nodes().get(name)
            return last[0] if last[0] and last[0]["state"] in states else None
        return eventually(there, seconds, lambda: f"{name} in state {'/'.join(states)} (it is {last[0]})", every=0.05)

    def live(self, caller):
        """The live call of a phone (by its user name, which no two calls of a run share)."""
        return next((call for call in self.get("/api/v1/calls") if caller in str(call["from"])), None)

    def wait_live(self, caller, seconds=3):
        return eventually(lambda: self.live(caller), seconds, f"live call from {caller} in the API")

    def wait_state(self, caller, state, seconds=5):
        """Waits until the caller's session is in a menu state and returns the call. A state of the menu that goes under
        the name (login-pin under login) is as good."""
        last = [None]

        def reached():
            last[0] = self.live(caller)
            return last[0] if last[0] and is_in(last[0], state) else None
        return eventually(reached, seconds,
                          lambda: f"menu state {state} (it is {last[0]['state'] if last[0] else 'no live call'})", every=0.05)

    def cdr(self, session, seconds=3):
        """The record of an ended session; exactly one must be there."""
        def written():
            records = [record for record in self.get("/api/v1/cdrs?limit=200") if record["id"] == session]
            return records
        records = eventually(written, seconds, f"CDR of {session}")
        if len(records) != 1:
            raise Failure(f"{len(records)} CDRs for one session")
        return records[0]


def metrics(port, host="127.0.0.1"):
    """Samples of /metrics as {(name, ((label, value), …)): number}; a line that is not Prometheus text fails."""
    reply = http(port, "/metrics", host=host)
    if reply.status != 200:
        raise Failure(f"/metrics of port {port} was answered {reply.status}")
    samples = {}
    for line in reply.text.splitlines():
        if not line.strip() or line.startswith("#"):
            if line.startswith("#") and not re.match(r"# (HELP|TYPE) [a-zA-Z_:][\w:]*( .*)?$|# EOF$", line):
                raise Failure(f"/metrics: not Prometheus text: {line!r}")
            continue
        found = re.match(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$', line)
        if not found:
            raise Failure(f"/metrics: not Prometheus text: {line!r}")
        labels = tuple(sorted(re.findall(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"', found.group(2) or "")))
        samples[(found.group(1), labels)] = float(found.group(3))
    return samples


def total(samples, name, **labels):
    """Sum over all label sets of a metric that carry these labels; None where the metric is not there at all."""
    matching = [value for (key, pairs), value in samples.items()
                if key == name and all(dict(pairs).get(k) == v for k, v in labels.items())]
    return sum(matching) if matching else None


def health(port, host="127.0.0.1"):
    return http(port, "/health", host=host)
