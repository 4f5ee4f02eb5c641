"""A bank customer at the phone, and the ledger as `tandem bank` shows it."""

import json

from .loop import Failure, LOOP, eventually, expect
from .system import CENTER_A

PIN = "246810"


class Customer:
    def __init__(self, test, number, to=CENTER_A, **options):
        self.test, self.number = test, number
        self.phone = test.phone()
        self.call = self.phone.dial(to, **options)
        self.session = test.api.wait_live(self.phone.user)["id"]
        self.wait("language")

    def wait(self, state, seconds=6):
        return self.test.api.wait_state(self.phone.user, state, seconds)

    def press(self, digits):
        self.call.stream.press(digits, milliseconds=80, gap=60)
        self.call.stream.wait_sent(30)

    def to_login(self, language="2"):
        self.press(language)
        self.wait("main")
        self.press("1")
        self.wait("login")

    def enter(self, pin=PIN):
        """Customer number, then PIN, each closed with # as a careful caller does."""
        self.press(self.number + "#")
        LOOP.let_pass(0.3)
        self.press(pin + "#")

    def login(self, pin=PIN, language="2"):
        self.to_login(language)
        self.enter(pin)
        live = self.wait("banking")
        expect(live["authenticated"] is True, f"logged in, but authenticated is {live['authenticated']}")
        return self

    def transfer(self, payee, amount, confirm="1"):
        """`amount` as it is keyed: 12*34."""
        self.press("3")
        self.wait("transfer-payee")
        self.press(payee)
        self.wait("transfer-amount", 10)
        self.press(amount + "#")
        self.wait("transfer-confirm", 10)
        self.press(confirm)

    def hang_up(self):
        self.call.hang_up()
        return self.test.api.cdr(self.session)


def ledger(system, what):
    done = system.tandem("bank", what, "--json", "--state", system.state)
    if done.returncode != 0:
        raise Failure(f"tandem bank {what} ended with {done.returncode}: {done.stderr.strip()[:200]}")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Failure(f"tandem bank {what} --json printed {done.stdout[:200]!r}") from None


def account(system, customer):
    found = [one for one in ledger(system, "accounts") if str(one["customer"]) == customer]
    expect(len(found) == 1, f"{len(found)} accounts of customer {customer}")
    return found[0]


def balance(system, customer):
    return account(system, customer)["balance_minor"]


def transfers_between(system, payer, payee):
    one, other = str(account(system, payer)["account"]), str(account(system, payee)["account"])
    return [row for row in ledger(system, "transfers") if str(row["from"]) == one and str(row["to"]) == other]


def wait_transfer(system, payer, payee, count=1, seconds=5):
    return eventually(lambda: len(rows := transfers_between(system, payer, payee)) >= count and rows, seconds,
                      f"transfer from {payer} to {payee} in the ledger", every=0.2)


def audit(system):
    done = system.tandem("bank", "audit", "--state", system.state)
    expect(done.returncode == 0, f"tandem bank audit ended with {done.returncode}: {(done.stdout + done.stderr).strip()[:300]}")
