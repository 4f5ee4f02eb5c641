#!/usr/bin/env python3
"""Checks the instruments themselves: the test phone and the SIPp files against a small answering party of our own.

A scenario that fails after this has passed is the product's doing.
"""

import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import wave

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import audio, ear, hearing, profiles, sdp, sippcaller  # noqa: E402
from lib.answerer import Answerer  # noqa: E402
from lib.loop import LOOP, Failure, eventually, expect, wait_for  # noqa: E402
from lib.message import Message, build, parameter, split_values  # noqa: E402
from lib.phone import Move, Phone  # noqa: E402
from lib.rtp import Packet  # noqa: E402

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


@check
def messages_are_read_by_the_letter(party, folder):
    message = Message.parse(b"INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx,\r\n SIP/2.0/UDP i;branch=y\r\n"
                            b"m: \"a, b\" <sip:c@d;x=1>;q=0.5\r\nl: 2\r\n\r\nhi")
    expect(len(message.all("Via")) == 2 and message.branch == "z9hG4bKx", "folded Via")
    expect(len(message.all("contact")) == 1, "comma in quotes")
    expect(parameter(message.get("contact"), "q") == "0.5", "header parameter")
    expect(split_values("<sip:a,b@c>, x") == ["<sip:a,b@c>", "x"], "comma in brackets")


@check
def g711_tables_agree_with_the_recommendation(party, folder):
    expect(audio.TO_LINEAR[8][0xD5] == 8 and audio.TO_LINEAR[8][0x55] == -8, "A-law silence")
    expect(audio.TO_LINEAR[0][0xFF] == 0 and audio.TO_LINEAR[0][0x80] == 32124, "µ-law ends")
    expect(audio.TO_LINEAR[8][0xAA] == 32256 and audio.TO_LINEAR[8][0x2A] == -32256, "A-law ends")
    frame = audio.tone((1000,), 20, 8, 6000)[0]
    expect(3500 < audio.loudness(frame, 8) < 5000, "loudness of a tone")


@check
def a_profile_key_is_changed_in_place(party, folder):
    file = folder / "p.yaml"
    file.write_text("role: center\nsip:\n  listen:\n    - udp:5081\n  timers:\n    t1_ms: 500 # ms\nlimits:\n  calls: 9\n")
    profiles.change(file, "limits.calls", "3")
    profiles.change(file, "sip.timers.t2_ms", "4000")
    profiles.change(file, "sip.listen", "[a, b]")
    profiles.change(file, "new.key", "x")
    expect(file.read_text() == "role: center\nsip:\n  listen: [a, b]\n  timers:\n    t2_ms: 4000\n    t1_ms: 500 # ms\n"
           "limits:\n  calls: 3\nnew:\n  key: x\n", file.read_text())
    expect(profiles.read(file, "sip.timers.t1_ms") == "500", "read")


@check
def a_gap_is_measured_by_who_speaks_now(party, folder):
    meter = ear.GapMeter()
    old, new = (b"old!", ("127.0.0.1", 4000)), (b"new!", ("127.0.0.1", 6000))
    for at, who in ((0.00, old), (0.02, old), (0.92, new), (1.50, old), (2.12, new)):
        meter.heard(at, *who)
    expect(abs(meter.gap - 1.2) < 1e-9 and len(meter.late) == 1 and len(meter.changes) == 1, f"{meter.gap} {meter.late}")
    expect(abs(meter.until(5.12) - 3.0) < 1e-9, "the open gap")
    meter.restart()
    meter.heard(2.14, *new)
    expect(abs(meter.gap - 0.02) < 1e-9, "after a restart")


@check
def a_spoken_clip_is_recognised_and_how_much_of_it(party, folder):
    (folder / "xx").mkdir(exist_ok=True)
    source = random.Random(5)
    for name in ("yes", "no"):
        with wave.open(str(folder / "xx" / f"{name}.wav"), "wb") as clip:
            clip.setparams((1, 2, 8000, 0, "NONE", ""))
            clip.writeframes(b"".join(int(8000 * source.uniform(-1, 1)).to_bytes(2, "little", signed=True) for _ in range(8000)))
    ears = hearing.Ears(folder, "xx", ("yes", "no"))
    data = b"\xd5" * 77 + hearing.encoded(folder / "xx" / "yes.wav") + hearing.encoded(folder / "xx" / "no.wav")[:3000]
    packets = [Packet(at / 8000, at // 160, at, 1, False, 8, data[at:at + 160], None) for at in range(0, len(data), 160)]
    told = [(name, round(share, 1)) for _, name, share in ears.heard(packets)]
    expect([name for name, _ in told] == ["yes", "no"] and told[0][1] == 1.0 and told[1][1] <= 0.4, f"{told}")


@check
def what_a_move_may_change_is_told_apart(party, folder):
    with Phone() as phone:
        call = phone.dial(party.address)
        other = party.phone.calls[call.call_id]
        for change, wanted in (({}, "the former one"), ({"port": 4002}, None), ({"id": 9}, "o="), ({"codecs": [0]}, "more than")):
            offer = sdp.Local(other.phone.ip, other.description.port, other.description.codecs, other.description.telephone_event)
            offer.id, offer.version, offer.direction = other.description.id, other.description.version + 1, other.description.direction
            for key, value in change.items():
                setattr(offer, key, value)
            request = build("INVITE sip:x SIP/2.0", [("Via", "SIP/2.0/UDP h;branch=z9hG4bKm"), ("CSeq", "1001 INVITE"),
                                                     ("Contact", "<sip:c@127.0.0.1:5082>")], offer.text())
            wrong = Move(call, Message.parse(request), None).faults(("127.0.0.1", 5082))
            expect(any(wanted in one for one in wrong) if wanted else not wrong, f"{change}: {wrong}")
        call.hang_up()


@check
def a_call_has_steady_audio(party, folder):
    with Phone() as phone:
        call = phone.dial(party.address)
        call.stream.wait_loud(2)
        LOOP.let_pass(2)
        report = call.stream.report()
        report.expect_steady(rate=(48, 52))
        expect(report.markers == 1, f"{report.markers} markers")
        call.hang_up()


@check
def digits_survive_lost_markers_and_tripled_ends(party, folder):
    with Phone() as phone:
        call = phone.dial(party.address)
        call.stream.press("12*#", lose_first=1)
        call.stream.press("0", milliseconds=600, ends=3)
        call.stream.wait_sent()
        other = party.phone.calls[call.call_id]
        wait_for(lambda: other.stream.events() == "12*#0", 2, lambda: f"digits (got {other.stream.events()})")
        call.hang_up()


@check
def echo_comes_back(party, folder):
    with Phone() as phone:
        call = phone.dial(party.address, "9196")
        frames = audio.noise_frames(10, 8, 1)
        call.stream.play(frames)
        wait_for(lambda: any(p.payload == frames[-1] for p in call.stream.packets), 2, "echo")
        call.hang_up()


@check
def hold_and_resume(party, folder):
    with Phone() as phone:
        call = phone.dial(party.address)
        expect(call.reinvite("sendonly").audio.direction == "recvonly", "hold")
        expect(call.reinvite("sendrecv").audio.direction in (None, "sendrecv"), "resume")
        call.hang_up()
        expect(party.phone.calls[call.call_id].ended_by == "them", "the BYE arrived")


@check
def offerless_call(party, folder):
    with Phone() as phone:
        call = phone.dial(party.address, offerless=True)
        call.stream.wait_packets(10)
        call.hang_up()


@check
def cancel_while_ringing(party, folder):
    with Phone() as phone:
        call = phone.call(party.address, "ring")
        wait_for(lambda: any(status == 180 for _, status in call.events), 2, "180")
        call.cancel().expect(200)
        expect(call.wait_failed() == 487, "487")


@check
def redirect_is_followed(party, folder):
    party.redirect_to = party.address
    with Phone() as phone:
        call = phone.dial(party.address, "302")
        expect(call.redirects == 1, "one redirect")
        call.hang_up()


@check
def lost_ack_makes_the_200_come_again(party, folder):
    with Phone() as phone:
        call = phone.call(party.address, auto_ack=False)
        wait_for(lambda: call.ok_count >= 2, 3, "second 200")
        call.ack()


@check
def refusals_are_seen(party, folder):
    with Phone() as phone:
        expect(phone.call(party.address, "404").wait_failed() == 404, "404")
        phone.request("OPTIONS", party.address).expect(200)


@check
def ipv6_call(party, folder):
    six = Answerer("::1")
    try:
        with Phone("::1") as phone:
            call = phone.dial(six.address)
            call.stream.wait_packets(5)
            call.hang_up()
    finally:
        six.close()


@check
def the_phone_and_sipp_understand_each_other(party, folder):
    """SIPp as the answering party, which neither of us wrote, by UDP and TCP."""
    for transport, kind in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
        port = sippcaller.free_port(kind=kind)
        with open(folder / f"uas-{transport}.log", "wb") as log:
            process = subprocess.Popen(["sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-t", f"{transport[0]}1", "-nostdin",
                                        "-mp", str(sippcaller.free_port())], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        try:
            phone = eventually(lambda: reach(transport, port), 5, "SIPp listening")
            with phone:
                for _ in range(3):
                    call = phone.dial(("127.0.0.1", port), media=False)
                    expect([status for _, status in call.events] == [180, 200], f"answers {call.events}")
                    call.hang_up()
        finally:
            process.kill()
            process.wait()


def reach(transport, port):
    try:
        phone = Phone(transport=transport, server=("127.0.0.1", port))
    except OSError:
        return None
    if transport == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return phone
        phone.close()
        return None
    return phone


@check
def sipp_files_run(party, folder):
    party.redirect_to = party.address
    for file, line in (("hold.xml", "95533"), ("offerless.xml", "95533"), ("cancel.xml", "ring"), ("follow302.xml", "302"),
                       ("info.xml", "95533"), ("routes.xml", "95533")):
        sippcaller.run(folder, party.address, file, line=line, calls=3, hold_ms=50).expect_all(3)
    sippcaller.run(folder, party.address, "uac", calls=10, hold_ms=100).expect_all(10)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tandem-selftest-"))
    passed = failed = 0
    for function in CHECKS:
        party = Answerer()
        try:
            function(party, folder)
            if LOOP.errors:
                raise Failure(LOOP.errors.pop().strip())
            passed += 1
        except Failure as failure:
            failed += 1
            print(f"FAIL  {function.__name__}: {failure}")
        finally:
            party.close()
    print(f"{passed} passed, {failed} failed" + (f" (files in {folder})" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
