"""What RFC 3261 and its kin ask of a server that is asked for something wrong."""

import os

from lib import sdp
from lib.loop import LOOP, expect, random_hex, wait_for
from lib.message import address_of, bare_uri, build
from lib.phone import Phone, Transaction
from lib.scenario import scenario
from lib.system import ACCESS, CENTER_A, MASTER


def offer(phone, port=4000, codecs=(8, 0), event=101):
    return sdp.Local(phone.ip, port, codecs, event).text()


SDP = ("Content-Type", "application/sdp")


@scenario("conformance")
def unknown_line_is_404(test):
    for to in (ACCESS, CENTER_A):
        call = test.phone().call(to, "12345")
        expect(call.wait_failed() == 404, f"line 12345 was answered {call.status}")


@scenario("conformance")
def unknown_method_is_refused_with_allow(test):
    for to in (ACCESS, CENTER_A):
        for method in ("FOO", "PUBLISH", "SUBSCRIBE"):
            answer = test.phone().request(method, to).wait()
            expect(answer.status in (405, 501), f"{method} was answered {answer.status}")
            expect(answer.status != 405 or "INVITE" in answer.get("allow", ""), "405 without Allow (RFC 3261 §21.4.6)")


@scenario("conformance")
def unknown_extension_is_420(test):
    """RFC 3261 §8.2.2.3 and, at the proxy, §16.3 item 5."""
    phone = test.phone()
    for to, header in ((CENTER_A, "Require"), (ACCESS, "Require"), (ACCESS, "Proxy-Require")):
        answer = phone.request("INVITE", to, headers=[(header, "x-unheard-of"), SDP], body=offer(phone)).wait()
        expect(answer.status == 420, f"{header}: x-unheard-of was answered {answer.status}")
        expect("x-unheard-of" in answer.get("unsupported", ""), "420 without Unsupported")


@scenario("conformance")
def unknown_body_is_415(test):
    phone = test.phone()
    for to in (CENTER_A, ACCESS):
        answer = phone.request("INVITE", to, headers=[("Content-Type", "text/plain")], body="hello").wait()
        expect(answer.status == 415, f"a text/plain body was answered {answer.status}")
        expect("application/sdp" in answer.get("accept", ""), "415 without Accept")


@scenario("conformance")
def no_common_codec_is_488(test):
    phone = test.phone()
    for to in (CENTER_A, ACCESS):
        answer = phone.request("INVITE", to, headers=[SDP], body=offer(phone, codecs=(18,), event=None)).wait()
        expect(answer.status == 488, f"an offer of G.729 alone was answered {answer.status}")


@scenario("conformance")
def a_body_that_is_no_sdp_is_refused(test):
    phone = test.phone()
    answer = phone.request("INVITE", CENTER_A, headers=[SDP], body="this is not SDP\r\n").wait()
    expect(answer.status in (400, 488), f"a broken description was answered {answer.status}")


@scenario("conformance")
def a_second_media_line_is_refused_by_port_0(test):
    """RFC 3264 §6: as many m-lines in the answer as in the offer, in order."""
    phone = test.phone()
    body = offer(phone) + "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    call = phone.dial(CENTER_A, body=body)
    sections = call.answer.sections
    expect(len(sections) == 2, f"{len(sections)} m-lines in the answer to two")
    expect(sections[0].port and sections[1].port == 0 and sections[1].kind == "video", "the video line was not refused by port 0")
    call.hang_up()


@scenario("conformance")
def max_forwards_0_is_483_at_access(test):
    phone = test.phone()
    answer = phone.request("INVITE", ACCESS, max_forwards=0, headers=[SDP], body=offer(phone)).wait()
    expect(answer.status == 483, f"Max-Forwards 0 was answered {answer.status}")


@scenario("conformance")
def a_merged_request_is_482(test):
    """RFC 3261 §8.2.2.2: the same request by another path."""
    phone = test.phone()
    call = phone.dial(CENTER_A)
    data = call.transaction.data
    branch = call.transaction.branch.encode()
    other = b"z9hG4bK" + random_hex().encode()
    with LOOP.lock:
        merged = Transaction(phone, "INVITE", data.replace(branch, other), other.decode(), CENTER_A)
        phone.transactions[(other.decode(), "INVITE")] = merged
        merged.on_response = lambda response: phone._acknowledge_refusal(merged, response)
        merged.start()
    answer = merged.wait()
    expect(answer.status == 482, f"a merged request was answered {answer.status}")
    expect(call.state == "answered", "the first dialog fell")
    call.hang_up()


@scenario("conformance")
def a_request_of_no_dialog_is_481(test):
    for to in (CENTER_A, ACCESS):
        for method in ("BYE", "INFO", "UPDATE"):
            answer = test.phone().request(method, to, to_tag="no.such.dialog").wait()
            expect(answer.status == 481, f"{method} outside a dialog was answered {answer.status}")
        answer = test.phone().request("CANCEL", to).wait()
        expect(answer.status == 481, f"CANCEL of nothing was answered {answer.status}")
    phone = test.phone()
    answer = phone.request("INVITE", CENTER_A, to_tag="center-a.x.0", headers=[SDP], body=offer(phone)).wait()
    expect(answer.status == 481, f"a re-INVITE of no dialog was answered {answer.status}")


@scenario("conformance")
def an_old_cseq_is_500(test):
    """RFC 3261 §12.2.2: lower than the last one seen."""
    call = test.phone().dial(CENTER_A)
    call.cseq += 20
    call.request("OPTIONS").expect(200)
    answer = call.request("INFO", [("Content-Type", "application/dtmf")], "2", number=5).wait()
    expect(answer.status == 500, f"a CSeq below the last was answered {answer.status}")
    call.hang_up()


@scenario("conformance")
def options_tells_what_a_node_can(test):
    phone = test.phone()
    answer = phone.request("OPTIONS", CENTER_A, uri=f"sip:127.0.0.1:{CENTER_A[1]}").expect(200)
    for header, token in (("allow", "INVITE"), ("accept", "application/sdp")):
        expect(token in answer.get(header, ""), f"OPTIONS: {header} is {answer.get(header)!r}")
    expect("state=" in answer.get("tandem-load", ""), f"OPTIONS: Tandem-Load is {answer.get('tandem-load')!r}")
    phone.request("OPTIONS", ACCESS, uri=f"sip:127.0.0.1:{ACCESS[1]}").expect(200)


@scenario("conformance")
def compact_and_folded_headers_are_read(test):
    """RFC 3261 §7.3.1, §7.3.3 and RFC 4475 §3.1.1.1: odd, and right."""
    for to in (CENTER_A, ACCESS):
        phone = test.phone()
        branch = f"z9hG4bK{random_hex()}"
        body = offer(phone)
        data = (f"INVITE sip:9664@127.0.0.1:{to[1]} SIP/2.0\r\n"
                f"v:  SIP  / 2.0  / UDP\r\n   127.0.0.1:{phone.port} ;branch = {branch};\r\n rport\r\n"
                f"TO :\r\n sip:9664@127.0.0.1\r\n"
                f"f: \"quoted \\\" <name>\" <sip:{phone.user}@127.0.0.1> ;\r\n\ttag = {random_hex(4)}\r\n"
                f"i: {random_hex()}\r\ncseq: 0009\r\n  INVITE\r\nMax-Forwards:  068\r\n"
                f"NewFangledHeader:   newfangled value\r\n continued ;;,,;=\r\n"
                f"m:\"Quoted, \\\" string\" <sip:{phone.user}@127.0.0.1:{phone.port}>;\r\n  newparam =\r\n newvalue\r\n"
                f"c: application/sdp\r\nk: timer,\r\n 100rel\r\nl:   {len(body)}\r\n\r\n{body}").encode()
        with LOOP.lock:
            transaction = Transaction(phone, "INVITE", data, branch, to)
            phone.transactions[(branch, "INVITE")] = transaction
            transaction.start()
        answer = transaction.wait()
        expect(answer.status == 200, f"a strangely written INVITE was answered {answer.status} {answer.reason}")
        end_stranger(phone, transaction, answer, to)


def end_stranger(phone, transaction, answer, to):
    """ACK and BYE for a dialog that was opened by hand."""
    number = answer.cseq[0]
    target = bare_uri(answer.all("contact")[0])
    routes = list(reversed(answer.all("record-route")))
    destination = address_of(bare_uri(routes[0])) if routes else address_of(target)
    for method, cseq in (("ACK", number), ("BYE", number + 1)):
        lines = [("Route", route) for route in routes]
        lines += [("Max-Forwards", "70"), ("From", answer.get("from")), ("To", answer.get("to")),
                  ("Call-ID", answer.call_id), ("CSeq", f"{cseq} {method}")]
        sent = phone.send(method, target, destination, lines) if method == "BYE" else None
        if method == "ACK":
            via = phone.via(f"z9hG4bK{random_hex()}")
            phone.transmit(build(f"ACK {target} SIP/2.0", [("Via", via), *lines]), destination)
        if sent:
            sent.expect(200)


def options_text(phone, to, branch, without=(), extra=(), start=None, replace=None, length=0):
    lines = {"Via": f"SIP/2.0/UDP 127.0.0.1:{phone.port};branch={branch};rport", "Max-Forwards": "70",
             "From": f"<sip:{phone.user}@127.0.0.1>;tag={random_hex(4)}", "To": f"<sip:127.0.0.1:{to[1]}>",
             "Call-ID": random_hex(), "CSeq": "1 OPTIONS", "Content-Length": str(length)}
    lines.update(replace or {})
    text = start or f"OPTIONS sip:127.0.0.1:{to[1]} SIP/2.0"
    return "\r\n".join([text] + [f"{k}: {v}" for k, v in lines.items() if k not in without] + list(extra)).encode() + b"\r\n\r\n"


def broken_messages(phone, to):
    """(what is wrong, bytes, branch or None, statuses that are right). Silence is always right: a server may drop."""
    cases = []

    def case(what, statuses=(400,), body=b"", **changes):
        branch = f"z9hG4bK{random_hex()}"
        cases.append((what, options_text(phone, to, branch, **changes) + body, branch, statuses))
    at = f"127.0.0.1:{to[1]}"
    for header in ("From", "To", "Call-ID", "CSeq"):
        case(f"no {header}", without=(header,))
    case("version 7.0", (400, 505), start=f"OPTIONS sip:{at} SIP/7.0")
    case("blanks in the Request-URI", start=f"OPTIONS sip:a b@{at} SIP/2.0")
    case("Request-URI in angle brackets", start=f"OPTIONS <sip:{at}> SIP/2.0")
    case("unknown URI scheme", (416, 400), start="OPTIONS nobodyknowsthis:totallyopaque SIP/2.0")
    case("CSeq of another method", replace={"CSeq": "1 INVITE"})
    case("CSeq beyond 32 bits", replace={"CSeq": "36893488147419103232 OPTIONS"})
    case("CSeq that is no number", replace={"CSeq": "x OPTIONS"})
    case("negative Content-Length", replace={"Content-Length": "-999"})
    case("Content-Length beyond the datagram", (400,), replace={"Content-Length": "9999"})
    case("Content-Length that overflows", (400,), replace={"Content-Length": "99999999999999999999"})
    case("two From", extra=[f"From: <sip:x@{at}>;tag=2"])
    case("two Call-IDs", extra=["Call-ID: second"])
    case("two CSeqs", extra=["CSeq: 2 OPTIONS"])
    case("open quote in To", replace={"To": f"\"Mr. J. User <sip:j@{at}>"})
    case("Max-Forwards that is no number", replace={"Max-Forwards": "seventy"})
    case("a header line without a colon", (400, 200), extra=["thisisnoheader"])
    case("no bytes of UTF-8 in a header", (400, 200), extra=[])
    what, data, branch, statuses = cases[-1]
    cases[-1] = (what, data.replace(b"\r\n\r\n", b"\r\nSubject: \xff\xfe\xc0\x80\r\n\r\n"), branch, statuses)
    case("a very long header", (400, 413, 431, 513, 200), extra=["X-Long: " + "y" * 20000])
    case("thousands of headers", (400, 413, 431, 513, 200), extra=["X-Many: 1"] * 4000)
    case("hundreds of Vias", (400, 483, 513, 200), extra=["Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"] * 500)
    case("a NUL in a value", (400, 200), extra=["Subject: a\0b"])
    case("more bytes than Content-Length", (200, 400), body=b"and some more")
    cases += [(what, data, None, ()) for what, data in (
        ("one byte", b"\0"), ("line ends", b"\r\n\r\n"), ("two line ends and a half", b"\r\n\r\n\r"), ("random bytes", os.urandom(900)),
        ("a start line alone", b"INVITE sip:95533@127.0.0.1 SIP/2.0\r\n\r\n"), ("half a message", b"INVITE sip:95533@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/U"),
        ("a Via without a host", b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP\r\n\r\n"), ("60,000 colons", b":" * 60000),
        ("an answer to nothing", b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\n"
         b"To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"),
        ("an answer with status 999999", b"SIP/2.0 999999 Far\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKq\r\nCSeq: 1 INVITE\r\n\r\n"),
        ("an answer with a word for a status", b"SIP/2.0 yes OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"),
        ("an ACK of nothing", f"ACK sip:95533@{at} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{phone.port};branch=z9hG4bKack\r\nFrom: <sip:a@b>;tag=1\r\n"
         f"To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n".encode()),
    )]
    return cases


@scenario("conformance", order=60)
def broken_messages_are_answered_or_dropped(test):
    """In the spirit of RFC 4475; afterwards the node answers as before."""
    for to in (CENTER_A, ACCESS):
        phone = test.phone()
        waiting = []
        for what, data, branch, statuses in broken_messages(phone, to):
            if branch:
                transaction = Transaction(phone, "OPTIONS", data, branch, to)
                with LOOP.lock:
                    # An answer to a broken CSeq may name another method: it is found by its branch.
                    for method in ("OPTIONS", "INVITE"):
                        phone.transactions[(branch, method)] = transaction
                waiting.append((what, transaction, statuses))
            phone.transmit(data, to)
        test.phone().request("OPTIONS", to, uri=f"sip:127.0.0.1:{to[1]}").expect(200)
        LOOP.let_pass(0.3)
        wrong = [f"{what}: {t.final.status}" for what, t, statuses in waiting if t.final and t.final.status not in statuses]
        expect(not wrong, f"port {to[1]}: {'; '.join(wrong)}")
        with LOOP.lock:
            LOOP.errors.clear()  # An answer to nonsense may repeat it; our parser need not like it.
        call = test.phone().dial(to)
        call.hang_up()


@scenario("conformance", order=60)
def broken_streams_do_no_harm(test):
    """TCP framing by Content-Length (RFC 3261 §18.3): pieces, two at once, nonsense."""
    for to in (CENTER_A, ACCESS):
        phone = test.phone(transport="tcp", server=to)
        branches = [f"z9hG4bK{random_hex()}" for _ in range(3)]
        transactions = []
        for branch in branches:
            data = options_text(phone, to, branch).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
            transaction = Transaction(phone, "OPTIONS", data, branch, to)
            phone.transactions[(branch, "OPTIONS")] = transaction
            transactions.append(transaction)
        phone.transmit(b"\r\n\r\n", to)
        first = transactions[0].data
        for piece in (first[:9], first[9:60], first[60:-2], first[-2:]):
            phone.transmit(piece, to)
            LOOP.let_pass(0.02)
        phone.transmit(transactions[1].data + transactions[2].data, to)
        for transaction in transactions:
            transaction.expect(200)
        bad = Phone(transport="tcp", server=to)
        bad.transmit(b"\0" * 100000 + os.urandom(5000) + b"\r\n\r\n", to)
        bad.close()
        test.phone(transport="tcp", server=to).request("OPTIONS", to, uri=f"sip:127.0.0.1:{to[1]};transport=tcp").expect(200)


@scenario("conformance", order=60)
def what_a_stream_cannot_frame_is_answered(test):
    """Without Content-Length the end is unknown (RFC 3261 §18.3): 400; a body over the limit: 513 (§21.5.7)."""
    for to in (CENTER_A, ACCESS, MASTER):
        for length, status in ((None, 400), ("x", 400), (70000, 513)):
            phone = test.phone(transport="tcp", server=to)
            branch = f"z9hG4bK{random_hex()}"
            data = options_text(phone, to, branch, without=("Content-Length",) if length is None else (), length=length)
            data = data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
            transaction = Transaction(phone, "OPTIONS", data, branch, to)
            phone.transactions[(branch, "OPTIONS")] = transaction
            phone.transmit(data, to)
            transaction.expect(status)


@scenario("conformance", order=60)
def broken_rtp_does_no_harm(test):
    phone = test.phone()
    call = phone.dial(CENTER_A, "9664")
    call.stream.wait_packets(10)
    for data in (b"", b"\x80", os.urandom(11), os.urandom(200), b"\xbf\x88" + os.urandom(10), b"\x80\x08" + b"\xff" * 1400,
                 b"\xa0\x08" + os.urandom(10) + b"\xff" * 20, b"\x90\x08" + os.urandom(10) + b"\0\0\xff\xff"):
        call.stream.send_raw(data)
    mark = call.stream.mark()
    call.stream.wait_packets(25, 2, mark)
    call.hang_up()


@scenario("conformance")
def a_flood_of_options_is_answered(test):
    phones = [test.phone() for _ in range(4)]
    sent = [phone.request("OPTIONS", CENTER_A, uri=f"sip:127.0.0.1:{CENTER_A[1]}") for phone in phones for _ in range(100)]
    wait_for(lambda: all(transaction.final for transaction in sent), 8,
             lambda: f"answers to 400 OPTIONS ({sum(bool(t.final) for t in sent)} came)")
