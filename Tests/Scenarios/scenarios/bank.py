"""Money by digits: exact in the ledger, and nothing secret anywhere."""

import json
import re

from lib.customer import PIN, Customer, audit, balance, ledger, transfers_between, wait_transfer
from lib.loop import LOOP, expect
from lib.scenario import scenario
from lib.system import ACCESS, CENTER_A, CENTER_B


@scenario("bank", order=20)
def the_demo_ledger_is_as_promised(test):
    accounts = {str(one["customer"]): one for one in ledger(test.system, "accounts")}
    expect(len(accounts) == 1000, f"{len(accounts)} accounts")
    for number in ("10000007", "10000333", "10001000"):
        one = accounts.get(number)
        expect(one and one["currency"] == "CNY" and one["balance_minor"] == (10000 + int(number[-4:])) * 100, f"{number}: {one}")
    audit(test.system)


@scenario("bank", order=21)
def the_whole_walk(test):
    """Login, balance, transfer with read-back, statement, goodbye; the ledger is exact to the cent."""
    payer, payee = "10000101", "10000102"
    before = balance(test.system, payer), balance(test.system, payee)
    customer = Customer(test, payer, ACCESS).login()
    customer.press("1")
    customer.wait("balance")
    customer.wait("banking", 30)
    customer.transfer(payee, "123*45")
    rows = wait_transfer(test.system, payer, payee)
    expect(len(rows) == 1 and rows[0]["amount_minor"] == 12345 and rows[0]["currency"] == "CNY", f"transfers: {rows}")
    customer.wait("banking", 30)
    customer.press("2")
    customer.wait("statement")
    customer.press("*")
    customer.wait("main", 10)
    record = customer.hang_up()
    after = balance(test.system, payer), balance(test.system, payee)
    expect((before[0] - after[0], after[1] - before[1]) == (12345, 12345), f"balances {before} became {after}")
    audit(test.system)
    wanted = ["language", "main", "login", "banking", "balance", "banking", "transfer-payee", "transfer-amount", "transfer-confirm",
              "banking", "statement"]
    expect(record["path"][:len(wanted)] == wanted, f"path {record['path']}")
    expect(record["end"] == "caller", f"end {record['end']}")


@scenario("bank", order=22)
def goodbye_by_digit_is_a_bye(test):
    customer = Customer(test, "10000103").login()
    customer.press("#")
    customer.call.wait_ended(30)
    record = test.api.cdr(customer.session)
    expect(record["end"] == "menu" and record["path"][-1] == "goodbye", f"end {record['end']}, path {record['path']}")


@scenario("bank", order=22)
def a_cancelled_transfer_moves_nothing(test):
    payer, payee = "10000104", "10000105"
    customer = Customer(test, payer, CENTER_B).login()
    customer.transfer(payee, "50", confirm="2")
    customer.wait("banking", 20)
    customer.hang_up()
    expect(not transfers_between(test.system, payer, payee), "a cancelled transfer is in the ledger")
    expect(balance(test.system, payer) == 1010400, "the balance changed")


@scenario("bank", order=22)
def more_than_there_is_is_refused(test):
    payer, payee = "10000106", "10000107"
    customer = Customer(test, payer).login()
    customer.transfer(payee, "20000")
    customer.wait("banking", 30)
    customer.hang_up()
    expect(balance(test.system, payer) == 1010600 and balance(test.system, payee) == 1010700, "money moved without cover")
    done = [row for row in transfers_between(test.system, payer, payee) if row["result"] == "done"]
    expect(not done, f"the ledger says {done}")
    audit(test.system)


@scenario("bank", order=22)
def in_chinese_the_same(test):
    payer, payee = "10000108", "10000109"
    customer = Customer(test, payer).login(language="1")
    expect(customer.wait("banking")["language"] in ("zh", "cmn", "zh-CN"), "the API does not say the language")
    customer.transfer(payee, "0*01")
    rows = wait_transfer(test.system, payer, payee)
    expect(rows[0]["amount_minor"] == 1, f"{rows}")
    customer.hang_up()


@scenario("bank", order=22)
def a_digit_during_an_answer_counts_in_the_menu(test):
    customer = Customer(test, "10000110").login()
    customer.press("1")
    customer.wait("balance")
    customer.call.stream.wait_loud(3)
    customer.press("2")
    customer.wait("statement", 3)
    customer.hang_up()


@scenario("bank", order=23)
def ten_callers_move_money_at_once(test):
    """Every one of them exactly once; the sum of all accounts does not change."""
    total = sum(one["balance_minor"] for one in ledger(test.system, "accounts"))
    pairs = [(f"10000{200 + n}", f"10000{220 + n}") for n in range(10)]
    customers = [Customer(test, payer, (CENTER_A, CENTER_B, ACCESS)[n % 3]) for n, (payer, _) in enumerate(pairs)]

    def together(action, state):
        for customer in customers:
            action(customer)
        for customer in customers:
            customer.call.stream.wait_sent(30)
        for customer in customers:
            customer.wait(state, 10)

    def key(digits):
        return lambda customer: customer.call.stream.press(digits, milliseconds=80, gap=60)
    together(key("2"), "main")
    together(key("1"), "login")
    for customer in customers:
        customer.call.stream.press(customer.number + "#", milliseconds=80, gap=60)
    for customer in customers:
        customer.call.stream.wait_sent(30)
    LOOP.let_pass(0.3)
    together(key(PIN + "#"), "banking")
    together(key("3"), "transfer-payee")
    together(lambda c: c.call.stream.press(dict(pairs)[c.number], milliseconds=80, gap=60), "transfer-amount")
    together(key("1*00#"), "transfer-confirm")
    for customer in customers:
        key("1")(customer)
    for payer, payee in pairs:
        rows = wait_transfer(test.system, payer, payee, seconds=10)
        expect(len(rows) == 1 and rows[0]["amount_minor"] == 100, f"{payer}: {rows}")
    for customer in customers:
        customer.hang_up()
    expect(sum(one["balance_minor"] for one in ledger(test.system, "accounts")) == total, "the sum of all accounts changed")
    audit(test.system)


@scenario("bank", order=25)
def a_changed_pin_is_the_only_one(test):
    """Entered twice, as the shipped menu asks; the old one no longer opens."""
    customer = Customer(test, "10000111").login()
    customer.press("5")
    customer.wait("change-pin")
    for _ in range(2):
        customer.press("864213")
        LOOP.let_pass(0.4)
    customer.wait("banking", 15)
    customer.hang_up()
    again = Customer(test, "10000111").login(pin="864213")
    again.hang_up()
    refused = Customer(test, "10000111")
    refused.to_login()
    refused.enter(PIN)
    LOOP.let_pass(2)
    expect(test.api.live(refused.phone.user)["state"] != "banking", "the old PIN still opens")
    refused.hang_up()


@scenario("bank", order=26)
def the_timeline_tells_the_story_without_secrets(test):
    customer = Customer(test, "10000112").login()
    customer.press("1")
    customer.wait("balance")
    story = test.api.get(f"/api/v1/calls/{customer.session}")
    expect(isinstance(story.get("timeline"), list) and story["timeline"], "no timeline")
    for event in story["timeline"]:
        expect(set(event) >= {"at", "kind", "detail"}, f"event {event}")
        expect(event["kind"] in ("sip", "state", "bank", "queue", "takeover", "end"), f"kind {event['kind']}")
        expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["at"]), f"time {event['at']}")
    kinds = [event["kind"] for event in story["timeline"]]
    expect({"sip", "state", "bank"} <= set(kinds), f"kinds {set(kinds)}")
    expect(PIN not in json.dumps(story), "the PIN is in the timeline")
    singles = "".join(re.findall(r'"(\d)"', json.dumps([event["detail"] for event in story["timeline"]])))
    expect(PIN not in singles, "the PIN is in the timeline digit by digit")
    customer.hang_up()
    ended = test.api.get(f"/api/v1/calls/{customer.session}")
    expect(ended["timeline"][-1]["kind"] == "end", "the story of an ended call does not end")


@scenario("bank", order=89)
def no_secret_digit_is_kept_anywhere(test):
    """Logs, store, checkpoints, everything under the state folder, and the metrics pages (I6)."""
    customer = Customer(test, "10000113").login()
    customer.hang_up()
    for pin in (PIN, "864213", "975310"):
        pattern = re.compile(rb"(?<![0-9a-fA-F])" + pin.encode() + rb"(?![0-9a-fA-F])")
        spaced = re.compile(rb'"?' + rb'"?[,; ]+"?'.join(pin.encode()[n:n + 1] for n in range(6)))
        for file in test.system.folder.rglob("*"):
            if not file.is_file() or "prompts" in file.parts or "profiles" in file.parts or file.suffix in (".wav",):
                continue
            data = file.read_bytes()
            for found in (pattern.search(data), spaced.search(data)):
                expect(not found, f"the PIN {pin} is in {file}")


@scenario("bank", order=92)
def three_wrong_pins_lock_the_customer_over_a_restart(test):
    number, other = "10000114", "10000115"
    customer = Customer(test, number)
    customer.to_login()
    wrong_until_the_end(test, customer)
    customer.call.wait_ended(30)
    record = test.api.cdr(customer.session)
    expect(record["end"] == "menu", f"end {record['end']}")
    test.system.kill("center-a")
    test.system.restart("center-a")
    locked = Customer(test, number)
    locked.to_login()
    locked.enter(PIN)
    LOOP.let_pass(3)
    live = test.api.live(locked.phone.user)
    expect(not live or (live["state"] != "banking" and not live["authenticated"]), "a locked customer got in after a restart")
    locked.phone.close()
    on_b = Customer(test, number, CENTER_B)
    on_b.to_login()
    on_b.enter(PIN)
    LOOP.let_pass(3)
    live = test.api.live(on_b.phone.user)
    expect(not live or live["state"] != "banking", "a locked customer got in at the other center")
    on_b.phone.close()
    Customer(test, other).login().hang_up()


def wrong_until_the_end(test, customer, wrong="975310"):
    """The number once, then three wrong PINs."""
    customer.press(customer.number + "#")
    LOOP.let_pass(0.3)
    for attempt in range(3):
        customer.press(wrong + "#")
        if attempt < 2:
            LOOP.let_pass(2.5)
