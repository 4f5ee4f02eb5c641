"""A SIP phone (RFC 3261) for scenarios: UDP or TCP, one socket, any number of calls."""

import itertools
import os
import socket
import time

from . import rtp, sdp
from .loop import LOOP, Failure, expect, random_hex, wait_for
from .message import Message, address_of, bare_uri, build, host_text

T1, T2 = 0.5, 4.0
_numbers = itertools.count(int.from_bytes(os.urandom(3), "big"))


class Transaction:
    """A request that was sent, what was answered, and when."""

    def __init__(self, phone, method, data, branch, destination):
        self.phone, self.method, self.data, self.branch, self.destination = phone, method, data, branch, destination
        self.responses = []
        self.final = None
        self.sent_at = self.final_at = None
        self.on_response = None
        self.retransmits = not phone.reliable
        self._interval = T1
        self._timer = None

    def start(self):
        self.sent_at = time.monotonic()
        self.phone.transmit(self.data, self.destination)
        if self.retransmits:
            self._timer = LOOP.after(self._interval, self._again)

    def _again(self):
        if self.final or self.phone.closed or time.monotonic() - self.sent_at > 32:
            return
        if self.method == "INVITE" and self.responses:
            return
        self.phone.transmit(self.data, self.destination)
        self._interval = self._interval * 2 if self.method == "INVITE" else min(T2, self._interval * 2)
        self._timer = LOOP.after(self._interval, self._again)

    def received(self, message):
        self.responses.append(message)
        if message.status >= 200 and self.final is None:
            self.final, self.final_at = message, time.monotonic()
            if self._timer:
                self._timer.cancel()
        if self.on_response:
            self.on_response(message)

    def wait(self, seconds=5):
        """The final response."""
        return wait_for(lambda: self.final, seconds, lambda: f"final answer to {self.method} (so far: {self.responses})")

    def expect(self, *statuses, seconds=5):
        response = self.wait(seconds)
        expect(response.status in statuses,
               f"{self.method} was answered {response.status} {response.reason}, not {' or '.join(map(str, statuses))}")
        return response


class Phone:
    """One SIP socket. `calls` are keyed by Call-ID; `on_invite(call)` makes it an answering party."""

    def __init__(self, ip="127.0.0.1", transport="udp", user=None, server=None):
        self.ip, self.transport = ip, transport
        self.reliable = transport == "tcp"
        self.user = user or f"5550{next(_numbers) % 10**8:08d}"
        self.calls, self.transactions, self.answered = {}, {}, {}
        self.stray = []
        self.on_invite = None
        self.on_request = None
        self.options_seen = 0
        self.closed = False
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self._buffer = b""
        if self.reliable:
            self.socket = socket.create_connection(server, 5)
            self.socket.setblocking(False)
            LOOP.add(self.socket, self._stream_readable)
        else:
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            self.socket.bind((ip, 0))
            self.socket.setblocking(False)
            LOOP.add(self.socket, self._datagram_readable)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Hangs up what is still up and closes the sockets."""
        with LOOP.lock:
            if self.closed:
                return
            for call in list(self.calls.values()):
                try:
                    if call.state == "answered":
                        call.bye()
                    elif call.state == "calling":
                        call.cancel()
                except (OSError, Failure, ValueError):
                    pass
                call.close_media()
        if any(call.final_requests for call in self.calls.values()):
            try:
                wait_for(lambda: all(t.final for c in self.calls.values() for t in c.final_requests), 1, "BYE answers")
            except Failure:
                pass
        with LOOP.lock:
            self.closed = True
            LOOP.remove(self.socket)
            self.socket.close()

    # Wire

    def transmit(self, data, destination):
        if self.closed:
            return
        try:
            if self.reliable:
                self.socket.setblocking(True)
                self.socket.sendall(data)
                self.socket.setblocking(False)
            else:
                self.socket.sendto(data, destination)
        except OSError:
            pass  # Like loss: transactions send again.

    def _datagram_readable(self):
        for _ in range(64):
            try:
                data, source = self.socket.recvfrom(65536)
            except (BlockingIOError, OSError):
                return
            # RFC 7983 §7: 128 to 191 begins RTP or RTCP: a last packet to the port's former user.
            if data.strip(b"\r\n\0") and not 128 <= data[0] <= 191:
                self._take(data, source)

    def _stream_readable(self):
        try:
            data = self.socket.recv(65536)
        except (BlockingIOError, OSError):
            return
        if not data:
            LOOP.remove(self.socket)
            return
        self._buffer += data
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            length = int(Message.parse(head + b"\r\n\r\n").get("content-length", "0"))
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._take(head + separator + rest[:length], self.socket.getpeername()[:2])

    def _take(self, data, source):
        message = Message.parse(data)
        if message.is_response:
            transaction = self.transactions.get((message.branch, message.cseq[1]))
            if transaction:
                transaction.received(message)
            else:
                self.stray.append(message)
            return
        if message.method == "ACK":
            call = self.calls.get(message.call_id)
            if call:
                call.acknowledged(message)
            return
        if self.on_request:
            self.on_request(message, source)
        key = (message.branch, message.method)
        if key in self.answered:
            if self.answered[key]:
                self.transmit(self.answered[key], source)
            return
        self.answered[key] = None
        call = self.calls.get(message.call_id)
        if message.method == "INVITE" and self.on_invite and (call is None or call.state == "failed"):
            call = Call.incoming(self, message, source)
            self.calls[message.call_id] = call
            self.on_invite(call)
        elif call:
            call.requested(message, source)
        elif message.method == "OPTIONS":
            self.options_seen += 1
            self.respond(message, source, 200, "OK")
        else:
            self.respond(message, source, 481, "Call/Transaction Does Not Exist")

    def respond(self, request, source, status, reason, headers=(), body=b"", to_tag=None):
        lines = [("Via", via) for via in request.all("via")]
        lines += [("Record-Route", route) for route in request.all("record-route")]
        to = request.get("to")
        if to_tag and request.tag("to") is None:
            to += f";tag={to_tag}"
        lines += [("From", request.get("from")), ("To", to), ("Call-ID", request.call_id), ("CSeq", request.get("cseq"))]
        data = build(f"SIP/2.0 {status} {reason}", lines + list(headers), body)
        self.answered[(request.branch, request.method)] = data
        self.transmit(data, source)
        return data

    # Requests

    @property
    def contact(self):
        return self.contact_of(self.user)

    def contact_of(self, user):
        tail = ";transport=tcp" if self.reliable else ""
        return f"<sip:{user}@{host_text(self.ip)}:{self.port}{tail}>"

    def via(self, branch):
        return f"SIP/2.0/{self.transport.upper()} {host_text(self.ip)}:{self.port};branch={branch};rport"

    def send(self, method, uri, destination, headers, body=b"", branch=None):
        """Sends a request whose headers besides Via are given; the answer is awaited on the transaction."""
        branch = branch or f"z9hG4bK{random_hex()}"
        data = build(f"{method} {uri} SIP/2.0", [("Via", self.via(branch))] + list(headers), body)
        with LOOP.lock:
            transaction = Transaction(self, method, data, branch, destination)
            self.transactions[(branch, method)] = transaction
            transaction.start()
        return transaction

    def request(self, method, to, line="95533", headers=(), body=b"", max_forwards=70, call_id=None, to_tag=None,
                uri=None, cseq=1, replace=None):
        """A request outside a dialog (or with `to_tag`, inside one that may not exist). A method that is an INVITE is
        acknowledged by the caller of this function where it cares."""
        uri = uri or f"sip:{line}@{host_text(to[0])}:{to[1]}"
        lines = {"Max-Forwards": str(max_forwards), "From": f"<sip:{self.user}@{host_text(self.ip)}>;tag={random_hex(4)}",
                 "To": f"<{uri}>" + (f";tag={to_tag}" if to_tag else ""), "Call-ID": call_id or random_hex(),
                 "CSeq": f"{cseq} {method}", "Contact": self.contact}
        lines.update(replace or {})
        lines = [(name, value) for name, value in lines.items() if value is not None]
        transaction = self.send(method, uri, to, lines + list(headers), body)
        if method == "INVITE":
            transaction.on_response = lambda response: self._acknowledge_refusal(transaction, response)
        return transaction

    def _acknowledge_refusal(self, transaction, response):
        if response.status < 300:
            return
        request = Message.parse(transaction.data)
        lines = [("Via", request.all("via")[0]), ("Max-Forwards", "70"), ("From", request.get("from")),
                 ("To", response.get("to")), ("Call-ID", request.call_id), ("CSeq", f"{request.cseq[0]} ACK")]
        lines += [("Route", route) for route in request.all("route")]
        self.transmit(build(f"ACK {request.uri} SIP/2.0", lines), transaction.destination)

    def call(self, to, line="95533", **options):
        """Dials; returns at once. See Call for the options."""
        call = Call(self, to, line, **options)
        with LOOP.lock:
            self.calls[call.call_id] = call
            call.invite()
        return call

    def dial(self, to, line="95533", seconds=5, **options):
        """Dials and waits for the answer."""
        call = self.call(to, line, **options)
        call.wait_answer(seconds)
        return call


class Move:
    """A re-INVITE as it came: when, and what the call's state was just before it."""

    def __init__(self, call, message, source):
        self.at, self.message, self.source = time.monotonic(), message, source
        self.cseq = message.cseq[0]
        self.contact = address_of(bare_uri(message.all("contact")[0])) if message.get("contact") else None
        self.offer = sdp.Remote(message.text) if message.body else None
        self.before, self.former_target = call.answer, call.remote_target

    def faults(self, center):
        """What of RFC 3264 §8 and of a takeover by `center` (its SIP address) it fails to keep."""
        found = []
        if self.contact != center:
            found.append(f"Contact {self.contact}, not {center}")
        if not self.offer or not self.offer.audio:
            return found + ["no offer of audio"]
        if not self.before or not self.before.origin:
            return found
        old, new = self.before.origin, self.offer.origin
        if new[:2] + new[3:] != old[:2] + old[3:] or int(new[2]) != int(old[2]) + 1:
            found.append(f"o={' '.join(new)} after o={' '.join(old)}")
        if self.offer.rest() != self.before.rest():
            found.append(f"more than o=, c= and m= changed: {sorted(set(self.before.rest()) ^ set(self.offer.rest()))}")
        if (self.offer.audio.address, self.offer.audio.port) == (self.before.audio.address, self.before.audio.port):
            found.append("the media address is the former one")
        return found


class Call:
    """One INVITE dialog with its media stream.

    States: calling, answered, failed (`status` says why), ended (`ended_by`: 'us' or 'them').
    """

    def __init__(self, phone, to, line, codecs=(8, 0), telephone_event=101, offerless=False, headers=(), follow=True,
                 auto_ack=True, sends_audio=True, max_forwards=70, body=None, content_type="application/sdp",
                 uses_routes=True, media=True, route=None, ptime=None, user=None, ear=None):
        self.phone, self.line, self.destination = phone, line, to
        self.call_id = f"{random_hex()}@{host_text(phone.ip)}"
        self.local_tag, self.remote_tag = random_hex(4), None
        self.uri = f"sip:{line}@{host_text(to[0])}:{to[1]}" + (";transport=tcp" if phone.reliable else "")
        self.user = user or phone.user
        self.contact = phone.contact_of(self.user)
        self.local = f"<sip:{self.user}@{host_text(phone.ip)}>;tag={self.local_tag}"
        self.remote = f"<{self.uri}>"
        self.cseq = 0
        self.route_set = []
        self.first_route = route
        self.remote_target = self.uri
        self.state, self.status, self.ended_by = "calling", None, None
        self.events = []
        self.offerless, self.headers, self.follow, self.auto_ack = offerless, list(headers), follow, auto_ack
        self.max_forwards, self.content_type, self.uses_routes = max_forwards, content_type, uses_routes
        self.custom_body = body
        self.codecs, self.telephone_event, self.ptime = list(codecs), telephone_event, ptime
        self.stream = ear or (rtp.Stream(phone.ip, codecs[0] if codecs else 8, sends_audio) if media else None)
        self.description = sdp.Local(phone.ip, self.stream.port if self.stream else 9, self.codecs, telephone_event, ptime)
        self.answer = None
        self.final_requests = []
        self.ok_count = 0
        self.redirects = 0
        self.invited_at = self.answered_at = None
        self.bye_at = None
        self.refreshes = 0
        self.moves = []
        self.problems = []
        self.remote_cseq = None
        self.holds = None
        self.on_reinvite = None
        self.transaction = None
        self.invite_request = None
        self.acks = 0
        self.incoming_source = None

    # Outgoing

    def invite(self):
        self.cseq += 1
        lines = [("Max-Forwards", self.max_forwards), ("From", self.local), ("To", self.remote), ("Call-ID", self.call_id),
                 ("CSeq", f"{self.cseq} INVITE"), ("Contact", self.contact),
                 ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"), ("Supported", "100rel, timer")]
        if self.first_route:
            lines.append(("Route", self.first_route))
        body = b""
        if self.custom_body is not None:
            body = self.custom_body
        elif not self.offerless:
            body = self.description.text()
        if body:
            lines.append(("Content-Type", self.content_type))
        self.transaction = self.phone.send("INVITE", self.uri, self.destination, lines + self.headers, body)
        if self.invited_at is None:
            self.invited_at = self.transaction.sent_at
        self.transaction.on_response = lambda response, sent=self.transaction: self._invite_answered(sent, response)

    def _invite_answered(self, transaction, response):
        self.events.append((time.monotonic(), response.status))
        if response.status < 200:
            if response.get("rseq") and "100rel" in (response.get("require") or ""):
                self._learn(response)
                self.cseq += 1
                self._in_dialog("PRACK", [("RAck", f"{response.get('rseq')} {response.get('cseq')}")])
            return
        if response.status >= 300:
            self.phone._acknowledge_refusal(transaction, response)
            if self.state != "calling":
                return
            if 300 <= response.status < 400 and self.follow and self.redirects < 5:
                self.redirects += 1
                self.uri = bare_uri(response.all("contact")[0])
                self.destination = address_of(self.uri)
                self.invite()
                return
            self.state, self.status = "failed", response.status
            return
        self.ok_count += 1
        if self.state == "calling":
            self.state, self.status, self.answered_at = "answered", response.status, time.monotonic()
            self._learn(response)
            self._describe(response)
        if self.auto_ack:
            self.ack(transaction)

    def _learn(self, response):
        self.remote = response.get("to")
        self.remote_tag = response.tag("to")
        if response.get("contact"):
            self.remote_target = bare_uri(response.all("contact")[0])
        self.route_set = [route for route in reversed(response.all("record-route"))]

    def _describe(self, response):
        if not response.body:
            return
        self.answer = sdp.Remote(response.text)
        if self.offerless:
            self.codecs = [code for code in self.answer.audio.formats if code in (0, 8)][:1]
            self.telephone_event = self.answer.audio.telephone_event
            self.description = sdp.Local(self.phone.ip, self.stream.port if self.stream else 9, self.codecs, self.telephone_event)
        if self.stream and self.answer.audio and self.answer.audio.port:
            accepted = [code for code in self.answer.audio.formats if code in (0, 8)]
            if accepted:
                self.stream.codec = accepted[0]
            self.stream.event_type = self.answer.audio.telephone_event
            self.stream.start((self.answer.audio.address, self.answer.audio.port))

    def ack(self, transaction=None):
        transaction = transaction or self.transaction
        number = Message.parse(transaction.data).cseq[0]
        body = self.description.text() if self.offerless and number == 1 else b""
        lines = [("Content-Type", "application/sdp")] if body else []
        data, destination = self._compose("ACK", lines, body, number)
        self.phone.transmit(data, destination)

    def _compose(self, method, headers, body, number, branch=None):
        uri, destination = self.remote_target, None
        lines = []
        if self.uses_routes:
            lines = [("Route", route) for route in self.route_set]
            destination = address_of(bare_uri(self.route_set[0]) if self.route_set else self.remote_target)
        else:
            uri, destination = self.uri, self.destination
        branch = branch or f"z9hG4bK{random_hex()}"
        lines = [("Via", self.phone.via(branch)), *lines, ("Max-Forwards", "70"), ("From", self.local), ("To", self.remote),
                 ("Call-ID", self.call_id), ("CSeq", f"{number} {method}"), ("Contact", self.contact)]
        return build(f"{method} {uri} SIP/2.0", lines + list(headers), body), destination

    def _in_dialog(self, method, headers=(), body=b"", number=None):
        branch = f"z9hG4bK{random_hex()}"
        data, destination = self._compose(method, headers, body, number or self.cseq, branch)
        with LOOP.lock:
            transaction = Transaction(self.phone, method, data, branch, destination)
            self.phone.transactions[(branch, method)] = transaction
            transaction.start()
        return transaction

    def request(self, method, headers=(), body=b"", number=None):
        """A request inside the dialog; `number` overrides the CSeq."""
        with LOOP.lock:
            if number is None:
                self.cseq += 1
            return self._in_dialog(method, headers, body, number)

    def cancel(self):
        """CANCEL of the pending INVITE (RFC 3261 §9.1: same branch, same Request-URI)."""
        with LOOP.lock:
            request = Message.parse(self.transaction.data)
            lines = [("Max-Forwards", "70"), ("From", self.local), ("To", request.get("to")), ("Call-ID", self.call_id),
                     ("CSeq", f"{request.cseq[0]} CANCEL")]
            transaction = self.phone.send("CANCEL", request.uri, self.destination, lines, branch=self.transaction.branch)
            self.final_requests.append(transaction)
            return transaction

    def bye(self):
        with LOOP.lock:
            self.state, self.ended_by = "ended", "us"
            self.bye_at = time.monotonic()
            self.close_media()
            transaction = self.request("BYE")
            self.final_requests.append(transaction)
            return transaction

    def hang_up(self, seconds=5):
        return self.bye().expect(200, seconds=seconds)

    def reinvite(self, direction=None, address=None, seconds=5):
        """Offers again: hold is 'sendonly' or 'inactive', resume 'sendrecv', `address` '0.0.0.0' the old hold. Returns the
        answer's description, or with `seconds` None the transaction at once."""
        with LOOP.lock:
            self.cseq += 1
            self.description.version += 1
            if direction:
                self.description.direction = direction
                self.holds = direction if direction != "sendrecv" else None
            self.description.address = address or self.phone.ip
            transaction = self._in_dialog("INVITE", [("Content-Type", "application/sdp")], self.description.text())
            transaction.on_response = lambda response: self._reinvite_answered(transaction, response)
            self._own_reinvite = transaction
        if seconds is None:
            return transaction
        response = transaction.expect(200, seconds=seconds)
        return sdp.Remote(response.text)

    def _reinvite_answered(self, transaction, response):
        if 200 <= response.status < 300:
            if response.get("contact"):
                self.remote_target = bare_uri(response.all("contact")[0])
            self.answer = sdp.Remote(response.text)
            if self.stream and self.answer.audio and self.answer.audio.port:
                self.stream.start((self.answer.audio.address, self.answer.audio.port))
            self.ack(transaction)
        elif response.status >= 300:
            self.phone._acknowledge_refusal(transaction, response)

    def info(self, digit, kind="dtmf-relay", milliseconds=160):
        body = f"Signal={digit}\r\nDuration={milliseconds}\r\n" if kind == "dtmf-relay" else digit
        return self.request("INFO", [("Content-Type", f"application/{kind}")], body).expect(200)

    def wait_answer(self, seconds=5):
        wait_for(lambda: self.state != "calling", seconds, lambda: f"answer to {self.line} (so far: {self.events})")
        expect(self.state == "answered", f"{self.line} was answered {self.status}")

    def wait_failed(self, seconds=5):
        wait_for(lambda: self.state != "calling", seconds, lambda: f"answer to {self.line}")
        expect(self.state == "failed", f"{self.line} was answered {self.status}, a refusal was expected")
        return self.status

    def wait_ended(self, seconds):
        """Waits for the other side's BYE."""
        wait_for(lambda: self.state == "ended", seconds, "BYE")
        expect(self.ended_by == "them", "the call was ended by us")

    def close_media(self):
        if self.stream:
            self.stream.close()

    @property
    def center_port(self):
        """The SIP port of the Contact that answered: which center it was."""
        return address_of(self.remote_target)[1]

    @property
    def center(self):
        """(address, port) of the Contact that answered, or that moved the call last."""
        return address_of(self.remote_target)

    @property
    def answer_delay(self):
        return self.answered_at - self.invited_at if self.answered_at else None

    # Requests of the other side

    def requested(self, message, source):
        respond = self.phone.respond
        if not self._belongs(message) or (self.state == "ended" and message.method != "BYE"):
            respond(message, source, 481, "Call/Transaction Does Not Exist")
            return
        if message.method != "CANCEL":
            if self.remote_cseq is not None and message.cseq[0] <= self.remote_cseq:
                self.problems.append(f"{message.method} with CSeq {message.cseq[0]} after {self.remote_cseq}")
                respond(message, source, 500, "Server Internal Error")  # RFC 3261 §12.2.2
                return
            self.remote_cseq = message.cseq[0]
        if message.method == "BYE":
            self.state, self.ended_by, self.bye_at = "ended", "them", time.monotonic()
            self.close_media()
            respond(message, source, 200, "OK")
        elif message.method == "INVITE":
            self._reinvited(message, source)
        elif message.method in ("UPDATE",) and message.body:
            self._apply_offer(sdp.Remote(message.text))
            self.refreshes += 1
            respond(message, source, 200, "OK", [("Contact", self.contact), ("Content-Type", "application/sdp")],
                    self.description.text())
        elif message.method == "INFO":
            self.events.append((time.monotonic(), ("INFO", message.text)))
            respond(message, source, 200, "OK")
        elif message.method == "CANCEL":
            respond(message, source, 200, "OK")
            if self.incoming_source and self.state == "calling":
                self.state, self.status = "failed", 487
                respond(self.invite_request, self.incoming_source, 487, "Request Terminated", to_tag=self.local_tag)
        else:
            respond(message, source, 200, "OK", [("Contact", self.contact)])

    def _belongs(self, message):
        """RFC 3261 §12.2.2: Call-ID and both tags must match a dialog."""
        if self.remote_tag is None or (message.tag("to") == self.local_tag and message.tag("from") == self.remote_tag):
            return True
        if message.method != "CANCEL":
            self.problems.append(f"{message.method} with tags {message.tag('from')} and {message.tag('to')}, the dialog has "
                                 f"{self.remote_tag} and {self.local_tag}")
        return message.method == "CANCEL"

    def _reinvited(self, message, source):
        self.refreshes += 1
        self.moves.append(Move(self, message, source))
        if self.on_reinvite and self.on_reinvite(self, message, source):
            return
        if self._own_reinvite and self._own_reinvite.final is None:
            self.refuse_reinvite(message, source, 491, "Request Pending")  # RFC 3261 §14.2
            return
        self.take_reinvite(message, source)

    def take_reinvite(self, message, source):
        """Obeys a re-INVITE: new target, new media address; 200 until the ACK."""
        if message.get("contact"):
            self.remote_target = bare_uri(message.all("contact")[0])
        if message.body:
            self._apply_offer(sdp.Remote(message.text))
        self.description.version += 1
        self._answer_until_acknowledged(message, source)

    def refuse_reinvite(self, message, source, status, reason):
        self.phone.respond(message, source, status, reason)

    def _apply_offer(self, offer):
        self.answer = offer
        self.description.direction = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}.get(
            offer.audio.direction, self.holds or "sendrecv")
        accepted = [code for code in offer.audio.formats if code in self.codecs]
        self.description.codecs = accepted or self.codecs
        self.description.telephone_event = offer.audio.telephone_event
        if self.stream:
            self.stream.codec = (accepted or [8])[0]
            self.stream.event_type = offer.audio.telephone_event
            self.stream.start((offer.audio.address, offer.audio.port))

    def _answer_until_acknowledged(self, request, source, extra=()):
        data = self.phone.respond(request, source, 200, "OK",
                                  [("Contact", self.contact), ("Content-Type", "application/sdp"), *extra],
                                  self.description.text(), to_tag=self.local_tag)
        self._unacknowledged = data
        self._send_ok_again(data, source, T1)

    def _send_ok_again(self, data, source, interval):
        def again():
            if self._unacknowledged is data and not self.phone.closed and interval < 8:
                self.phone.transmit(data, source)
                self._send_ok_again(data, source, min(T2, interval * 2) if interval < T2 else 16)
        LOOP.after(interval, again)

    def acknowledged(self, message):
        self.acks += 1
        self.last_ack = message.cseq[0]
        self._unacknowledged = None
        if message.body:
            self._apply_offer(sdp.Remote(message.text))

    # Incoming (the phone is the answering party)

    _unacknowledged = None
    _own_reinvite = None
    last_ack = None

    @classmethod
    def incoming(cls, phone, message, source):
        call = cls(phone, source, "")
        call.call_id = message.call_id
        call.local = message.get("to") + f";tag={call.local_tag}"
        call.remote, call.remote_tag = message.get("from"), message.tag("from")
        call.remote_target = bare_uri(message.all("contact")[0]) if message.get("contact") else None
        call.route_set = message.all("record-route")
        call.invite_request, call.incoming_source = message, source
        call.remote_cseq = message.cseq[0]
        return call

    def ring(self):
        self.phone.respond(self.invite_request, self.incoming_source, 180, "Ringing", [("Contact", self.contact)],
                           to_tag=self.local_tag)
        self.phone.answered[(self.invite_request.branch, "INVITE")] = None

    def accept(self):
        if self.invite_request.body:
            self._apply_offer(sdp.Remote(self.invite_request.text))
        self.state, self.answered_at = "answered", time.monotonic()
        self._answer_until_acknowledged(self.invite_request, self.incoming_source)

    def refuse(self, status, reason, headers=()):
        self.state, self.status = "failed", status
        self.phone.respond(self.invite_request, self.incoming_source, status, reason, headers, to_tag=self.local_tag)
