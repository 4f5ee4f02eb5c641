"""Plain calls: every way in, every way out."""

from lib import audio, rtp
from lib.loop import LOOP, expect, wait_for
from lib.message import Message
from lib.phone import T1
from lib.scenario import scenario
from lib.system import ACCESS, CENTER_A, CENTER_B, MASTER


@scenario("calls", order=1)
def sipp_as_shipped_at_access(test):
    """SIPp's built-in caller, which sends no Route and no RTP, at access."""
    test.sipp(ACCESS, calls=20, rate=20).expect_all(20)


@scenario("calls", order=1)
def sipp_as_shipped_at_a_center(test):
    test.sipp(CENTER_A, calls=20, rate=20).expect_all(20)
    test.sipp(CENTER_B, calls=5, hold_ms=300).expect_all(5)


@scenario("calls", order=1)
def sipp_with_a_route_set_through_access(test):
    test.sipp(ACCESS, "routes.xml", calls=20, rate=20, hold_ms=200).expect_all(20)


@scenario("calls", order=1)
def the_master_redirects(test):
    test.sipp(MASTER, "follow302.xml", calls=10, rate=10, hold_ms=100).expect_all(10)
    phone = test.phone()
    call = phone.call(MASTER, follow=False)
    expect(call.wait_failed() == 302, f"the master answered {call.status}")
    contacts = call.transaction.final.all("contact")
    expect(len(contacts) == 2, f"Contact of the 302 names {contacts}, both centers live")


@scenario("calls", order=2)
def tcp_at_access_and_center(test):
    test.sipp(ACCESS, calls=5, transport="t1", hold_ms=200).expect_all(5)
    test.sipp(CENTER_A, calls=5, transport="t1", hold_ms=200).expect_all(5)


@scenario("calls", order=2)
def each_line_answers_everywhere(test):
    for to in (ACCESS, CENTER_A, CENTER_B):
        for line in ("95533", "9196", "9664"):
            phone = test.phone()
            call = phone.dial(to, line)
            call.stream.wait_packets(5)
            call.hang_up()


@scenario("calls", order=2)
def audio_is_steady_from_the_first_packet(test):
    """50 packets a second, one SSRC, 160 a packet, the marker on the first (RFC 3550 §5.1, RFC 3551 §4.1)."""
    for line in ("95533", "9664"):
        call = test.phone().dial(ACCESS, line)
        call.stream.wait_loud(3)
        LOOP.let_pass(3)
        report = call.stream.report()
        report.expect_steady()
        expect(report.packets[0].marker, "the first packet carries no marker")
        expect(report.markers < report.count * 0.05, f"{report.markers} markers in {report.count} packets")
        expect(all(p.payload_type == 8 for p in report.packets), "another payload type than the answer's")
        call.hang_up()


@scenario("calls")
def audio_in_pcmu_where_the_caller_prefers_it(test):
    call = test.phone().dial(CENTER_A, "9664", codecs=(0, 8))
    expect(call.answer.audio.formats[0] == 0, f"the answer prefers {call.answer.audio.formats[0]}, the caller PCMU")
    call.stream.wait_loud(5)
    expect({p.payload_type for p in call.stream.since()} == {0}, "payload types sent")
    call.hang_up()


@scenario("calls")
def echo_comes_back_within_40_ms(test):
    call = test.phone().dial(CENTER_A, "9196")
    call.stream.wait_packets(5)
    LOOP.let_pass(0.5)
    frames = audio.noise_frames(50, 8, 7)
    call.stream.play(frames)
    call.stream.wait_sent()
    LOOP.let_pass(0.3)
    got = {packet.payload: packet.at for packet in call.stream.since()}
    delays = sorted(got[frame] - call.stream.sent_at[frame] for frame in frames if frame in got)
    expect(len(delays) >= 45, f"{len(delays)} of 50 frames came back as they were sent")
    median = delays[len(delays) // 2]
    expect(median <= 0.040, f"own audio back after {median * 1000:.0f} ms")
    expect(delays[int(len(delays) * 0.9)] <= 0.060, f"p90 of the echo is {delays[int(len(delays) * 0.9)] * 1000:.0f} ms")
    call.hang_up()


@scenario("calls", background=True)
def music_plays_as_long_as_the_caller_stays(test):
    call = test.phone().dial(CENTER_B, "9664")
    LOOP.let_pass(40)
    report = call.stream.report()
    expect(report.sequence_errors == 0 and report.timestamp_errors == 0, "jumps in the stream")
    expect(49 <= report.rate <= 51, f"{report.rate:.1f} packets/s")
    tail = call.stream.report(mark=report.count - 500)
    expect(tail.loud_share > 0.5, f"only {tail.loud_share:.0%} of the last ten seconds is audible")
    call.hang_up()


@scenario("calls")
def hold_and_resume(test):
    test.sipp(ACCESS, "hold.xml", calls=5, hold_ms=200).expect_all(5)
    call = test.phone().dial(ACCESS, "9664")
    call.stream.wait_packets(10)
    for direction, address, allowed in (("sendonly", None, ("recvonly", "inactive")), ("inactive", None, ("inactive",)),
                                        ("sendrecv", "0.0.0.0", (None, "sendrecv", "recvonly", "inactive"))):
        answer = call.reinvite(direction, address)
        expect(answer.audio.direction in allowed, f"hold by {address or direction} was answered {answer.audio.direction}")
        LOOP.let_pass(0.1)
        mark = call.stream.mark()
        LOOP.let_pass(0.4)
        came = len(call.stream.since(mark))
        expect(came <= 2, f"{came} packets in 0.4 s of hold by {address or direction}")
        answer = call.reinvite("sendrecv")
        expect(answer.audio.direction in (None, "sendrecv"), f"resume was answered {answer.audio.direction}")
        call.stream.wait_packets(10, 1.5, mark=call.stream.mark())
    call.hang_up()


@scenario("calls")
def media_follows_a_changed_address(test):
    """A re-INVITE with another port (RFC 3264 §8.3.1)."""
    phone = test.phone()
    call = phone.dial(CENTER_A, "9664")
    call.stream.wait_packets(10)

    old, call.stream = call.stream, rtp.Stream(phone.ip)
    call.description.port = call.stream.port
    call.reinvite("sendrecv")
    call.stream.wait_packets(20, 2)
    LOOP.let_pass(0.1)
    mark = old.mark()
    LOOP.let_pass(0.4)
    expect(len(old.since(mark)) <= 2, "audio still goes to the old port")
    old.close()
    call.hang_up()


@scenario("calls")
def offerless_invite(test):
    test.sipp(ACCESS, "offerless.xml", calls=5, hold_ms=200).expect_all(5)
    call = test.phone().dial(CENTER_A, "9664", offerless=True)
    expect(call.answer and call.answer.audio and call.answer.audio.port, "the 200 to an INVITE without offer carries none")
    expect({0, 8} <= set(call.answer.audio.formats), f"the offer has only {call.answer.audio.formats}")
    expect(call.answer.audio.telephone_event, "the offer has no telephone-event")
    call.stream.wait_loud(3)
    call.hang_up()


@scenario("calls")
def cancel_right_behind_the_invite(test):
    """Either the CANCEL wins (487) or the answer does (200, ACK, BYE): both end clean (RFC 3261 §9.2)."""
    for to in (ACCESS, CENTER_A):
        for _ in range(10):
            phone = test.phone()
            with LOOP.lock:
                call = phone.call(to)
                cancel = call.cancel()
            cancel.expect(200, 481)
            wait_for(lambda: call.state != "calling", 3, "final answer to the cancelled INVITE")
            if call.state == "answered":
                call.hang_up()
            else:
                expect(call.status == 487, f"a cancelled INVITE was answered {call.status}")
            phone.close()


@scenario("calls")
def a_retransmitted_invite_is_one_dialog(test):
    for to in (ACCESS, CENTER_A):
        phone = test.phone()
        with LOOP.lock:
            call = phone.call(to)
            for _ in range(4):
                phone.transmit(call.transaction.data, to)
        call.wait_answer()
        live = test.api.wait_live(phone.user)
        LOOP.let_pass(0.3)
        tags = {response.tag("to") for response in call.transaction.responses if response.status == 200}
        expect(len(tags) == 1, f"{len(tags)} dialogs by one INVITE")
        calls = [one for one in test.api.get("/api/v1/calls") if phone.user in str(one["from"])]
        expect(len(calls) == 1 and calls[0]["id"] == live["id"], f"{len(calls)} sessions by one INVITE")
        call.hang_up()


@scenario("calls")
def the_200_comes_again_until_the_ack(test):
    """RFC 3261 §13.3.1.4: at T1, then doubled."""
    for to in (ACCESS, CENTER_A):
        phone = test.phone()
        call = phone.call(to, auto_ack=False)
        wait_for(lambda: call.ok_count >= 3, 4, lambda: f"third 200 ({call.ok_count} came)")
        moments = [at for at, status in call.events if status == 200]
        expect(T1 * 0.6 <= moments[1] - moments[0] <= T1 * 2.5, f"the 200 came again after {moments[1] - moments[0]:.2f} s")
        call.ack()
        LOOP.let_pass(0.2)
        after = call.ok_count
        LOOP.let_pass(2.5)
        expect(call.ok_count == after, "the 200 still comes after the ACK")
        call.hang_up()


@scenario("calls", background=True)
def without_any_ack_the_call_is_ended(test):
    """RFC 3261 §13.3.1.4: after 64*T1 without ACK, and without a sign of the caller, the dialog ends by BYE."""
    phone = test.phone()
    call = phone.call(CENTER_A, "9664", auto_ack=False, sends_audio=False)
    call.wait_answer()
    call.wait_ended(40)
    expect(30 <= call.bye_at - call.answered_at <= 38, f"BYE after {call.bye_at - call.answered_at:.1f} s")


@scenario("calls")
def requests_inside_the_dialog(test):
    for to in (ACCESS, CENTER_A):
        call = test.phone().dial(to, "9664")
        allow = call.request("OPTIONS").expect(200).get("allow", "")
        expect("INVITE" in allow and "BYE" in allow, f"Allow of OPTIONS is {allow!r}")
        update = call.request("UPDATE", [("Content-Type", "application/sdp")], call.description.text()).expect(200)
        expect("m=audio" in update.text, "UPDATE with an offer was answered without one (RFC 3311 §5.2)")
        expect(call.request("INFO", [("Content-Type", "application/x-unknown")], "x").wait().status in (415, 469, 200), "INFO")
        call.hang_up()


@scenario("calls")
def a_caller_that_sends_nothing_stays(test):
    """No RTP from the caller and a closed caller port do not end the call."""
    phone = test.phone()
    call = phone.dial(CENTER_A, "9664", sends_audio=False)
    call.stream.wait_packets(5)
    call.close_media()
    LOOP.let_pass(3)
    expect(call.state == "answered", "the call was ended")
    expect(test.api.live(phone.user), "the session is gone")
    call.hang_up()


@scenario("calls")
def a_session_timer_is_agreed(test):
    """RFC 4028 §9: the answer carries Session-Expires; §6: one too small is refused by 422 with Min-SE."""
    phone = test.phone()
    call = phone.dial(CENTER_A, "9664", headers=[("Session-Expires", "1800;refresher=uac")])
    expires = call.transaction.final.get("session-expires", "")
    expect(expires and int(expires.split(";")[0]) <= 1800, f"Session-Expires of the answer is {expires!r}")
    call.hang_up()
    small = phone.call(CENTER_A, "9664", headers=[("Session-Expires", "10;refresher=uac")])
    expect(small.wait_failed() == 422, f"Session-Expires 10 was answered {small.status}")
    expect(small.transaction.final.get("min-se"), "422 without Min-SE")


@scenario("calls")
def a_caller_that_requires_100rel_is_served(test):
    """RFC 3262: provisional answers, if there are any with RSeq, are PRACKed; the call comes up."""
    for to in (ACCESS, CENTER_A):
        call = test.phone().dial(to, "9664", headers=[("Require", "100rel")])
        call.stream.wait_packets(5)
        call.hang_up()


@scenario("calls")
def answers_are_quick(test):
    delays = []
    for number in range(40):
        phone = test.phone()
        call = phone.dial(ACCESS if number % 2 else CENTER_A)
        delays.append(call.answer_delay)
        call.hang_up()
    delays.sort()
    expect(delays[20] < 0.150, f"median answer after {delays[20] * 1000:.0f} ms")
    expect(delays[-1] < 0.8, f"slowest answer after {delays[-1] * 1000:.0f} ms")


@scenario("calls")
def answers_carry_what_rfc_3261_asks(test):
    call = test.phone().dial(CENTER_A)
    ok = call.transaction.final
    expect(ok.get("contact") and call.remote_tag, "200 without Contact or To tag")
    node, incarnation, rest = (call.remote_tag.split(".") + ["", ""])[:3]
    expect(node == "center-a" and incarnation and rest, f"the tag {call.remote_tag!r} does not name node and incarnation")
    expect(ok.cseq == (1, "INVITE"), "CSeq of the answer")
    call.hang_up()
    call = test.phone().dial(ACCESS)
    routes = call.transaction.final.all("record-route")
    expect(len(routes) == 1 and ";lr" in routes[0], f"Record-Route through access is {routes}")
    sent = Message.parse(call.transaction.data).all("via")
    came = call.transaction.final.all("via")
    expect(len(came) == len(sent) == 1, "Vias of the answer")
    expect("received=127.0.0.1" in came[0] or "rport=" in came[0], "rport was not filled in (RFC 3581 §4)")
    call.hang_up()
