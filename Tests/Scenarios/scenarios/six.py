"""The same by IPv6."""

from lib.loop import LOOP, expect
from lib.scenario import scenario

ACCESS, CENTER_A, MASTER = ("::1", 5060), ("::1", 5081), ("::1", 5070)


@scenario("ipv6", system="six")
def calls_by_ipv6(test):
    for to in (CENTER_A, ACCESS, MASTER):
        call = test.phone(ip="::1").dial(to, "9664")
        expect(call.answer.audio.address == "::1", f"c= of the answer is {call.answer.audio.address}")
        call.stream.wait_loud(3)
        LOOP.let_pass(1)
        call.stream.report().expect_steady(rate=(48, 52))
        call.hang_up()


@scenario("ipv6", system="six")
def sipp_by_ipv6(test):
    test.sipp(ACCESS, calls=5, ip="::1", hold_ms=100).expect_all(5)
    test.sipp(CENTER_A, calls=5, ip="::1", transport="t1").expect_all(5)


@scenario("ipv6", system="six")
def digits_by_ipv6(test):
    phone = test.phone(ip="::1")
    call = phone.dial(CENTER_A, "95533")
    test.api.wait_state(phone.user, "language")
    call.stream.press("2")
    test.api.wait_state(phone.user, "main")
    call.hang_up()
