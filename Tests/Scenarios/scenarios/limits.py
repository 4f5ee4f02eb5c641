"""Limits give a clear answer (I8), and outsiders get no further than they may."""

from lib.loop import LOOP, expect, wait_for
from lib.scenario import scenario
from lib.system import ACCESS, CENTER_A, CENTER_B


def expect_503(call, where):
    expect(call.wait_failed() == 503, f"{where}: answered {call.status}, 503 was expected")
    retry = call.transaction.final.get("retry-after", "")
    expect(retry.split(";")[0].split("(")[0].strip().isdigit(), f"{where}: Retry-After is {retry!r}")


@scenario("limits", system="narrow", order=20)
def a_full_center_says_503_with_retry_after(test):
    held = [test.phone().dial(CENTER_A, "9664") for _ in range(3)]
    expect_503(test.phone().call(CENTER_A, "9664"), "fourth call at a center for three")
    more = [test.phone().dial(ACCESS, "9664") for _ in range(3)]
    expect({call.center_port for call in more} == {5082}, "access did not find the center with room")
    expect_503(test.phone().call(ACCESS, "9664"), "seventh call at access, both centers full")
    held[0].hang_up()
    again = test.phone().dial(CENTER_A, "9664")
    for call in held[1:] + more + [again]:
        call.hang_up()


@scenario("limits", system="narrow", order=30)
def a_source_that_calls_too_often_gets_503(test):
    phone = test.phone(ip="127.0.0.8")
    calls = [phone.call(ACCESS, "12345") for _ in range(60)]
    wait_for(lambda: all(call.state != "calling" for call in calls), 10, "answers to sixty calls")
    refused = [call for call in calls if call.status == 503]
    expect(len(refused) >= 30, f"{len(refused)} of 60 calls at once were refused where 20 are allowed")
    expect(any(call.status == 404 for call in calls), "none of 60 calls got through")
    expect(all(call.transaction.final.get("retry-after") for call in refused), "503 without Retry-After")
    expect(test.phone(ip="127.0.0.9").call(ACCESS, "12345").wait_failed() == 404, "another source suffers")


@scenario("limits", system="narrow", order=31)
def sources_that_may_not_call_get_nothing(test):
    phone = test.phone(ip="127.0.0.99")
    call = phone.call(ACCESS, "9664")
    LOOP.let_pass(1.5)
    expect(call.state == "calling" and not call.events, f"a source outside sources.allow was answered {call.events}")
    with LOOP.lock:
        call.state = "failed"


@scenario("limits", system="narrow", order=32)
def internal_headers_from_outside_are_not_believed(test):
    """A caller cannot choose its session id or report load."""
    forged = "00000000-dead-4bee-8f00-000000000001"
    for to in (ACCESS, CENTER_A):
        phone = test.phone(ip="127.0.0.9")
        call = phone.dial(to, "9664", headers=[("Tandem-Session", forged), ("Tandem-Load", "calls=0;limit=9;state=up")])
        live = test.api.wait_live(phone.user)
        expect(live["id"].lower() != forged, f"port {to[1]}: the caller's Tandem-Session was taken")
        call.hang_up()


@scenario("limits", system="narrow", order=40)
def a_silent_caller_is_let_go_where_the_profile_says_so(test):
    """media.timeout_s: 5."""
    phone = test.phone()
    call = phone.dial(CENTER_B, "9664", sends_audio=False)
    live = test.api.wait_live(phone.user)
    call.wait_ended(12)
    expect(4 <= call.bye_at - call.answered_at <= 9, f"ended after {call.bye_at - call.answered_at:.1f} s")
    expect(test.api.cdr(live["id"])["end"] == "limit", "the record says that a limit ended it")


@scenario("limits", system="narrow", order=33)
def routes_lead_to_nodes_only(test):
    """A Route that a stranger sends does not make access a relay into the world (RFC 3261 §16.4 with our own rule)."""
    phone = test.phone(ip="127.0.0.10")
    victim = test.phone(ip="127.0.0.11")
    seen = []
    victim.on_invite = lambda call: seen.append(call)
    call = phone.call(ACCESS, "9664", route=f"<sip:127.0.0.1:{ACCESS[1]};lr>, <sip:127.0.0.11:{victim.port};lr>")
    wait_for(lambda: call.state != "calling" or seen, 4, "an answer")
    expect(not seen, "access relayed a stranger's INVITE to a stranger's Route")
    answer = phone.request("INVITE", ACCESS, uri=f"sip:x@127.0.0.11:{victim.port}").wait()
    expect(answer.status in (403, 404, 416, 604), f"a foreign Request-URI was answered {answer.status}")
    expect(not seen, "access relayed an INVITE to a foreign Request-URI")
