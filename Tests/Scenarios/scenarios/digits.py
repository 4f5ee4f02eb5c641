"""Digits by every way a caller can send them; `2` at the language question leads to the main menu."""

from lib.loop import LOOP, expect
from lib.scenario import scenario
from lib.system import ACCESS, CENTER_A


def at_language(test, to=CENTER_A, **options):
    phone = test.phone()
    call = phone.dial(to, **options)
    test.api.wait_state(phone.user, "language")
    return phone, call


def expect_one_digit(test, phone, call, path=("language", "main"), seconds=4):
    """The session reaches the last state of the path, stays there, and its record shows this path and no more."""
    live = test.api.wait_state(phone.user, path[-1], seconds)
    call.stream.wait_sent()
    LOOP.let_pass(0.5)
    now = test.api.live(phone.user)
    expect(now and now["state"] == path[-1], f"one digit was counted again: the call is in {now['state'] if now else 'no state'}")
    call.hang_up()
    record = test.api.cdr(live["id"])
    expect(record["path"] == list(path), f"path {record['path']}, not {list(path)}")
    return record


@scenario("digits")
def rfc4733_as_most_phones_send_it(test):
    for to in (CENTER_A, ACCESS):
        phone, call = at_language(test, to)
        call.stream.press("2")
        expect_one_digit(test, phone, call)


@scenario("digits")
def rfc4733_with_lost_packets(test):
    """The marked packet, or the first three, or two of three end packets do not arrive (RFC 4733 §2.5.1.4)."""
    for options in ({"lose_first": 1}, {"lose_first": 3}, {"ends": 1}, {"ends": 3}, {"milliseconds": 20, "ends": 3}):
        phone, call = at_language(test)
        call.stream.press("2", **options)
        expect_one_digit(test, phone, call)


@scenario("digits")
def a_long_press_is_one_digit(test):
    phone, call = at_language(test)
    call.stream.press("2", milliseconds=3000)
    expect_one_digit(test, phone, call)


@scenario("digits")
def two_quick_presses_are_two_digits(test):
    phone, call = at_language(test)
    call.stream.press("22", milliseconds=60, gap=40)
    live = test.api.wait_live(phone.user)
    test.api.wait_state(phone.user, "rates")
    call.hang_up()
    expect(test.api.cdr(live["id"])["path"][:3] == ["language", "main", "rates"], "path of two quick digits")


@scenario("digits")
def another_payload_type_for_events(test):
    phone, call = at_language(test, telephone_event=96)
    expect(call.stream.event_type == 96, f"telephone-event was answered as {call.stream.event_type}")
    call.stream.press("2")
    expect_one_digit(test, phone, call)


@scenario("digits")
def events_out_of_range_are_ignored(test):
    phone, call = at_language(test)
    for event in (17, 66, 255):
        call.stream.press([event])
    call.stream.wait_sent()
    LOOP.let_pass(0.3)
    expect(test.api.live(phone.user)["state"] == "language", "an event that is no digit was counted")
    call.stream.press("2")
    expect_one_digit(test, phone, call)


@scenario("digits")
def info_in_both_shapes(test):
    for kind, to in (("dtmf-relay", CENTER_A), ("dtmf", CENTER_A), ("dtmf-relay", ACCESS)):
        phone, call = at_language(test, to, telephone_event=None)
        call.info("2", kind)
        expect_one_digit(test, phone, call)
    test.sipp(ACCESS, "info.xml", hold_ms=300).expect_all(1)


@scenario("digits")
def tones_where_the_caller_offers_no_events(test):
    for codec in (8, 0):
        phone, call = at_language(test, codecs=(codec,), telephone_event=None)
        expect(call.stream.event_type is None, "telephone-event was answered without an offer")
        call.stream.press_tone("2", 120)
        expect_one_digit(test, phone, call)


@scenario("digits")
def tones_are_not_digits_where_events_are_agreed(test):
    """Otherwise a phone that sends both would dial double."""
    phone, call = at_language(test)
    call.stream.press_tone("2", 120)
    call.stream.wait_sent()
    LOOP.let_pass(0.5)
    expect(test.api.live(phone.user)["state"] == "language", "an in-band tone was counted beside telephone-event")
    call.hang_up()


@scenario("digits")
def a_digit_interrupts_the_prompt(test):
    """Barge-in: the prompt is still being spoken when the digit takes effect."""
    phone, call = at_language(test)
    call.stream.wait_loud(3)
    mark = call.stream.mark()
    call.stream.press("2", milliseconds=60)
    test.api.wait_state(phone.user, "main", 1.5)
    LOOP.let_pass(0.3)
    report = call.stream.report(mark)
    expect(report.sequence_errors == 0 and report.timestamp_errors == 0, "the stream jumped when the prompt was cut")
    expect(report.gap_max < 0.2, f"a gap of {report.gap_max * 1000:.0f} ms when the prompt was cut")
    call.hang_up()


@scenario("digits", background=True)
def no_input_ends_politely(test):
    phone = test.phone()
    call = phone.dial(CENTER_A)
    live = test.api.wait_live(phone.user)
    call.wait_ended(150)
    record = test.api.cdr(live["id"])
    expect(record["end"] == "menu", f"the record says it ended by {record['end']}")
    expect(record["path"][-1:] == ["goodbye"], f"path {record['path']}")


@scenario("digits", background=True)
def three_wrong_digits_end_politely(test):
    phone, call = at_language(test)
    live = test.api.wait_live(phone.user)
    call.stream.press("2")
    test.api.wait_state(phone.user, "main")
    for _ in range(3):
        LOOP.let_pass(1.0)
        if call.state == "answered":
            call.stream.press("8")
    call.wait_ended(30)
    record = test.api.cdr(live["id"])
    expect(record["end"] == "menu" and record["path"][-1] == "goodbye", f"end {record['end']}, path {record['path']}")
