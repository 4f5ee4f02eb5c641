"""Over PostgreSQL what holds over the file holds, too: takeover, money, and a store that goes away."""

from lib import hearing
from lib.customer import Customer, audit, balance, wait_transfer
from lib.death import timed
from lib.loop import LOOP, eventually, expect
from lib.scenario import scenario

from .takeover import survive
from .takeover_money import confirm_around_a_death


def alarm(test, code):
    return [one for one in test.api.get("/api/v1/alarms") if one["code"] == code]


@scenario("shared", system="shared", order=20)
def the_database_stops_and_comes_back(test):
    """Calls go on, new ones are answered, the bank is not available; then it is again, and nothing moved meanwhile."""
    server = test.system.beside
    access = test.system.endpoint("access-1")
    payer, payee = "10000951", "10000952"
    before = balance(test.system, payer)
    caller = Customer(test, payer, to=access).login()
    server.stop()
    try:
        eventually(lambda: alarm(test, "store-away"), 10, "alarm store-away")
        mark = caller.call.stream.mark()
        caller.press("1")
        ears = hearing.Ears(test.system.state / "prompts", "en", ("bank-unavailable", "banking-menu", "your-balance-is"))
        eventually(lambda: any(name == "bank-unavailable" and share >= 0.5
                               for _, name, share in ears.heard(caller.call.stream.since(mark))), 12,
                   "being told that the bank is not available", every=0.3)
        other = test.phone().dial(access, "9664")
        LOOP.let_pass(1)
        heard = other.stream.report()
        expect(heard.count > 20 and heard.gap_max < 0.3, f"a new call hears little while the store is away: {heard.count} packets, gap {heard.gap_max:.2f} s")
        other.hang_up()
        expect(caller.call.state == "answered", "a call ended because the store went away")
    finally:
        server.start()
    eventually(lambda: not alarm(test, "store-away"), 15, "the alarm clearing")
    caller.wait("banking", 15)
    caller.transfer(payee, "12*34")
    wait_transfer(test.system, payer, payee, seconds=10)
    expect(balance(test.system, payer) == before - 1234, "the payer's balance")
    # One record of each, also of the call that came and went while nothing could be written.
    expect(caller.hang_up()["end"] == "caller", "the record of the call that went on")
    eventually(lambda: [row for row in test.api.get("/api/v1/cdrs?limit=20") if other.user in row["from"]], 15,
               "the record of the call that came and went meanwhile")
    audit(test.system)


@scenario("shared", system="shared", order=90)
@timed
def a_hundred_calls_outlive_their_center(test):
    """One of two centers is killed: none dropped, none silent, gap at most 1.5 s, every one hangs up, one CDR each."""
    survive(test, frozen=False, count=100)


@scenario("shared", system="shared", order=91)
@timed
def a_hundred_calls_outlive_a_freeze_of_six_seconds(test):
    """The same with SIGSTOP: a frozen client keeps no row that a claim waits for."""
    survive(test, frozen=True, count=100)


@scenario("shared", system="shared", order=92)
@timed
def transfers_confirmed_as_their_center_dies(test):
    """Each caller presses 1 around the kill. Money moves once or not at all, and what each hears is true."""
    confirm_around_a_death(test, 16)
