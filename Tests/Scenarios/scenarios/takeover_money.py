"""Transfers that a death falls into: money moves once or not at all, and every caller is told the truth."""

import random
import time

from lib import hearing
from lib.crowd import number_of
from lib.customer import PIN, audit, ledger
from lib.death import PROMISE, Verdicts, death_of, expect_moved, in_time, land, timed
from lib.ear import gap_of
from lib.loop import LOOP, eventually, expect
from lib.scenario import scenario

ANSWERS = ("transfer-done", "transfer-refused", "transfer-unknown", "transfer-unavailable", "transfer-cancelled", "bank-unavailable")
READ_BACK = ("you-transfer", "confirm-or-cancel")
CLIPS = (*ANSWERS, *READ_BACK, "banking-menu", "enter-amount", "enter-payee", "main-menu", "goodbye")
_payers = iter(range(10000301, 10000900, 2))


class Payer:
    """A customer on the way through a transfer: payer and payee are its own, so that the ledger tells whose money moved."""

    def __init__(self, test, center, amount="25*50"):
        self.test = test
        self.number = str(next(_payers))
        self.payee, self.amount, self.minor = str(int(self.number) + 1), amount, 2550
        self.phone = test.phone()
        self.call = land(test, center, lambda: self.phone.dial(test.system.endpoint("access-1"), seconds=10))
        self.mark = 0

    def key(self, digits):
        self.call.stream.press(digits, milliseconds=80, gap=60)


def walk_to_read_back(test, payers):
    """All at once: language, login, transfer, payee, amount; each is left in the read-back."""
    def step(digits, state, seconds=15):
        for payer in payers:
            payer.key(digits(payer) if callable(digits) else digits)
        for payer in payers:
            payer.call.stream.wait_sent(30)
        wait_states(test, payers, state, seconds)
    wait_states(test, payers, "language", 10)
    step("2", "main")
    step("1", "login")
    for payer in payers:
        payer.key(payer.number + "#")
    for payer in payers:
        payer.call.stream.wait_sent(30)
    LOOP.let_pass(0.3)
    step(PIN + "#", "banking")
    step("3", "transfer-payee")
    step(lambda payer: payer.payee, "transfer-amount")
    step(lambda payer: payer.amount + "#", "transfer-confirm")


def wait_states(test, payers, state, seconds):
    wanted = {payer.phone.user for payer in payers}
    missing = [wanted]

    def there():
        reached = {number_of(call["from"]) for call in test.api.get("/api/v1/calls")
                   if str(call["state"]) == state or str(call["state"]).startswith(state + "-")}
        missing[0] = wanted - reached
        return not missing[0]
    eventually(there, seconds, lambda: f"state {state} of {len(missing[0])} of {len(wanted)} callers")


class Ledger:
    """Balances and transfers of the payers, read once."""

    def __init__(self, test):
        accounts = ledger(test.system, "accounts")
        self.total = sum(one["balance_minor"] for one in accounts)
        self.balances = {str(one["customer"]): one["balance_minor"] for one in accounts}
        self.numbers = {str(one["customer"]): str(one["account"]) for one in accounts}
        self.rows = ledger(test.system, "transfers")

    def done(self, payer):
        """Transfers of that payer that moved money."""
        one, other = self.numbers[payer.number], self.numbers[payer.payee]
        return [row for row in self.rows
                if str(row["from"]) == one and str(row["to"]) == other and row["result"] == "done"]


def ears_of(test):
    return hearing.Ears(test.system.state / "prompts", "en", CLIPS)


def verdict(ears, payer, since):
    """What the caller was told of its transfer after `since` (time.time()): an answer, 'read back', or None so far."""
    told = [(at, name, share) for at, name, share in ears.heard(payer.call.stream.since(payer.mark)) if at >= since]
    answers = [name for _, name, share in told if name in ANSWERS and share >= 0.5]
    if answers:
        return answers[-1]
    return "read back" if any(name in READ_BACK and share >= 0.3 for _, name, share in told) else None


@scenario("takeover", system="pair", order=92)
@timed
def forty_transfers_confirmed_as_their_center_dies(test):
    """Each caller presses 1 within the 350 ms around the kill. Money moves once or not at all, and what each hears is true."""
    confirm_around_a_death(test, 40)


def confirm_around_a_death(test, count):
    for center in test.system.centers():
        test.api.wait_node(center, ("up", "ramping"), 30)
    ears = ears_of(test)
    payers = [Payer(test, "center-a") for _ in range(count)]
    before = Ledger(test)
    walk_to_read_back(test, payers)
    verdicts = Verdicts()
    order = random.Random(7)
    start = time.monotonic() + 0.1
    for payer in payers:
        payer.mark = payer.call.stream.mark()
        LOOP.at(start + order.uniform(0, 0.35), lambda payer=payer: payer.key("1"))
    LOOP.let_pass(start + 0.2 - time.monotonic())
    with death_of(test, "center-a") as death:
        # Some presses were answered, some are being carried out, some are heard by nobody.
        told = wait_told(ears, payers, start_civil(start), 12)
        first = Ledger(test)
        counts = {name: sum(value == name for value in told.values()) for name in set(told.values())}
        test.note(f"told: {', '.join(f'{count} × {name}' for name, count in sorted(counts.items(), key=str))}")
        for payer in payers:
            with verdicts.about(f"caller {payer.number}"):
                judge_truth(payer, told[payer], first)
                expect_moved(payer.call, death)
                gap = gap_of(payer.call.stream.since(payer.mark), death.civil - 0.2)
                in_time(gap <= PROMISE, f"no audio for {gap:.2f} s")
        again = [payer for payer in payers if told[payer] == "read back"]
        # Digits of the first second are not taken for an answer to what the caller has not heard yet.
        LOOP.let_pass(1.2)
        for payer in again:
            payer.mark = payer.call.stream.mark()
            payer.key("1")
        asked = time.time()
        told = wait_told(ears, again, asked, 12, answers_only=True)
        last = Ledger(test)
        for payer in again:
            with verdicts.about(f"caller {payer.number}, confirming again"):
                expect(told[payer] == "transfer-done", f"was told {told[payer]}")
        for payer in payers:
            with verdicts.about(f"ledger of {payer.number}"):
                rows = last.done(payer)
                expect(len(rows) <= 1, f"{len(rows)} transfers")
                expect(all(row["amount_minor"] == payer.minor for row in rows), f"{rows}")
                spent = before.balances[payer.number] - last.balances[payer.number]
                got = last.balances[payer.payee] - before.balances[payer.payee]
                expect(spent == got == payer.minor * len(rows), f"paid {spent}, payee got {got}, {len(rows)} transfers")
        with verdicts.about("bank"):
            expect(last.total == before.total, "the sum of all accounts changed")
            audit(test.system)
        for payer in payers:
            with verdicts.about(f"caller {payer.number}, hanging up"):
                payer.call.hang_up()
    verdicts.judge()


def start_civil(moment):
    return time.time() - (time.monotonic() - moment)


def wait_told(ears, payers, since, seconds, answers_only=False):
    """{payer: what it was told}, as soon as everyone was told something."""
    told = {payer: None for payer in payers}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not all(told.values()):
        LOOP.let_pass(0.3)
        for payer in payers:
            if told[payer] is None:
                found = verdict(ears, payer, since)
                told[payer] = None if answers_only and found == "read back" else found
    # Who heard the read-back may have been told more since.
    return {payer: (verdict(ears, payer, since) or value) if value == "read back" else value for payer, value in told.items()}


def judge_truth(payer, told, book):
    moved = len(book.done(payer))
    expect(told is not None, f"was told nothing ({moved} transfers in the ledger)")
    if told == "transfer-done":
        expect(moved == 1, f"was told that it is done, the ledger has {moved} transfers")
    elif told == "transfer-unknown":
        expect(moved <= 1, f"{moved} transfers")
    else:
        expect(moved == 0, f"was told '{told}', the ledger has {moved} transfers")


@scenario("takeover", system="pair", order=93)
@timed
def a_caller_in_the_read_back_hears_it_again_and_confirms(test):
    """Killed, and for other callers frozen, in the middle of the read-back: it comes again, and 1 moves the money once."""
    ears = ears_of(test)
    for frozen in (False, True):
        for center in test.system.centers():
            test.api.wait_node(center, ("up", "ramping"), 30)
        payers = [Payer(test, "center-a") for _ in range(2)]
        before = Ledger(test)
        walk_to_read_back(test, payers)
        LOOP.let_pass(0.8)
        verdicts = Verdicts()
        for payer in payers:
            payer.mark = payer.call.stream.mark()
        with death_of(test, "center-a", frozen) as death:
            told = wait_told(ears, payers, death.civil, 10)
            if not frozen:
                eventually(lambda: all(heard_all(ears, payer, death.civil) for payer in payers), 15,
                           lambda: f"whole read-back (heard: {[ears.heard(p.call.stream.since(p.mark)) for p in payers]})")
            # Digits of the first second are not taken for an answer to what the caller has not heard yet.
            LOOP.let_pass(1.2)
            for payer in payers:
                with verdicts.about(f"caller {payer.number}"):
                    expect(told[payer] == "read back", f"was told {told[payer]}")
                    expect_moved(payer.call, death, exactly=1)
                    gap = gap_of(payer.call.stream.since(payer.mark), death.civil - 0.2)
                    in_time(gap <= PROMISE, f"no audio for {gap:.2f} s")
                    live = test.api.live(payer.phone.user)
                    expect(live and live["authenticated"] and live["language"] == "en", f"the session is {live}")
                    payer.key("1")
            asked = time.time()
            told = wait_told(ears, payers, asked, 10, answers_only=True)
            if frozen:
                death.thaw()
                LOOP.let_pass(2)
            after = Ledger(test)
            for payer in payers:
                with verdicts.about(f"caller {payer.number}"):
                    expect(told[payer] == "transfer-done", f"confirmed, and was told {told[payer]}")
                    expect(len(after.done(payer)) == 1, f"{len(after.done(payer))} transfers")
                    spent = before.balances[payer.number] - after.balances[payer.number]
                    expect(spent == payer.minor, f"paid {spent}, not {payer.minor}")
                    payer.call.hang_up()
        audit(test.system)
        verdicts.judge()


def heard_all(ears, payer, since):
    told = {name: share for at, name, share in ears.heard(payer.call.stream.since(payer.mark)) if at >= since}
    return all(told.get(name, 0) >= 0.5 for name in READ_BACK)


@scenario("takeover", system="pair", order=60)
def what_a_caller_is_told_is_what_was_spoken(test):
    """The same ears without a death: read-back, then 'the transfer is done', or that it was cancelled."""
    ears = ears_of(test)
    payers = [Payer(test, "center-a"), Payer(test, "center-b")]
    walk_to_read_back(test, payers)
    for payer in payers:
        eventually(lambda: heard_all(ears, payer, 0), 15, lambda: f"read-back (heard {ears.heard(payer.call.stream.since())})")
    asked = time.time()
    for payer, digit in zip(payers, "12"):
        payer.mark = payer.call.stream.mark()
        payer.key(digit)
    told = wait_told(ears, payers, asked, 8, answers_only=True)
    expect(list(told.values()) == ["transfer-done", "transfer-cancelled"], f"told {list(told.values())}")
    book = Ledger(test)
    expect([len(book.done(payer)) for payer in payers] == [1, 0], f"{[book.done(payer) for payer in payers]}")
    for payer in payers:
        payer.call.hang_up()
