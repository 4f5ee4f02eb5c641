import Banking
import Foundation
import Primitives
import Testing

@Suite struct MoneyTests {
    @Test func sumsThatDoNotFitAreNil() {
        let most = Money(minor: .max, currency: .cny)
        #expect(most.adding(Money(minor: 1, currency: .cny)) == nil)
        #expect(Money(minor: .min, currency: .cny).subtracting(Money(minor: 1, currency: .cny)) == nil)
        #expect(most.subtracting(most)?.minor == 0)
    }

    @Test func currenciesDoNotMix() {
        let dollar = Currency("USD").map { Money(minor: 1, currency: $0) }
        #expect(dollar.flatMap { Money(minor: 1, currency: .cny).adding($0) } == nil)
    }

    @Test(arguments: ["", "cny", "CN", "CNYY", "C1Y"]) func otherTextsAreNoCurrency(_ text: String) {
        #expect(Currency(text) == nil)
    }
}

@Suite struct NumberTests {
    @Test func customersHaveEightDigits() {
        #expect(CustomerNumber("00000012")?.description == "00000012")
        for text in ["", "1234567", "123456789", "1234567a", "+1234567", "１２３４５６７８"] {
            #expect(CustomerNumber(text) == nil)
        }
        #expect(CustomerNumber(100_000_000) == nil)
        #expect(CustomerNumber(-1) == nil)
    }

    @Test func anAccountNamesItsCustomer() throws {
        let customer = try #require(CustomerNumber("10000007"))
        let account = AccountNumber(first: customer)
        #expect(account.description == "100000070001")
        #expect(AccountNumber("100000070001") == account)
        #expect(AccountNumber("10000007000") == nil)
    }

    @Test func operationIDsAreBoundedAndPlain() {
        var random = SeededRandom(seed: 1)
        #expect(OperationID(using: &random).description.utf8.count == 32)
        #expect(OperationID("") == nil)
        #expect(OperationID("a b") == nil)
        #expect(OperationID(String(repeating: "a", count: 65)) == nil)
    }
}

@Suite struct PINTests {
    static func key(_ byte: UInt8 = 7) throws -> PINKey {
        try #require(PINKey(bytes: Array(repeating: byte, count: 32)))
    }
    static func pin(_ digits: String) throws -> SecretDigits { try #require(SecretDigits(digits)) }

    @Test func digestsDependOnPINCustomerAndKey() throws {
        let one = try #require(CustomerNumber("10000001"))
        let two = try #require(CustomerNumber("10000002"))
        let digest = try Self.key().digest(of: Self.pin("246810"), customer: one)
        #expect(try Self.key().digest(of: Self.pin("246810"), customer: one) == digest)
        #expect(try Self.key().digest(of: Self.pin("246811"), customer: one) != digest)
        #expect(try Self.key().digest(of: Self.pin("246810"), customer: two) != digest)
        #expect(try Self.key(8).digest(of: Self.pin("246810"), customer: one) != digest)
        #expect(try Self.key().id != Self.key(8).id)
    }

    @Test func neitherKeyNorDigestPrints() throws {
        let customer = try #require(CustomerNumber("10000001"))
        let digest = try Self.key().digest(of: Self.pin("246810"), customer: customer)
        var text = ""
        dump(digest, to: &text)
        dump(try Self.key(0xAB), to: &text)
        #expect(!text.contains("171"))
        #expect(!text.lowercased().contains("abab"))
    }

    @Test(arguments: ["111111", "123456", "987654", "121212", "123123", "12345", "1234567", "000001", "100000"])
    func weakPINs(_ digits: String) throws {
        let customer = try #require(CustomerNumber("10000001"))
        #expect(PINStrength.isWeak(try Self.pin(digits), customer: customer))
    }

    @Test(arguments: ["246810", "135790", "112233", "730194"]) func acceptablePINs(_ digits: String) throws {
        let customer = try #require(CustomerNumber("10000001"))
        #expect(!PINStrength.isWeak(try Self.pin(digits), customer: customer))
    }
}

@Suite struct LockoutTests {
    let rules = BankRules(lockFor: .seconds(900))
    let start = WallTime(milliseconds: 1_000_000_000)

    @Test func theThirdWrongPINLocks() {
        var kept: Lockout?
        var outcomes: [BankOutcome] = []
        for second in 0..<4 {
            let judged = Lockout.judge(kept, isRight: false, at: start + .seconds(second), under: rules)
            outcomes.append(judged.outcome)
            kept = judged.kept
        }
        let until = start + .seconds(2 + 900)
        #expect(
            outcomes == [
                .wrongPIN(remaining: 2), .wrongPIN(remaining: 1), .locked(until: until), .locked(until: until),
            ])
    }

    @Test func theRightPINDoesNotOpenALock() {
        let kept = Lockout(wrong: 3, lastWrong: start, lockedUntil: start + .seconds(10))
        #expect(
            Lockout.judge(kept, isRight: true, at: start + .seconds(9), under: rules).outcome
                == .locked(until: start + .seconds(10)))
        let later = Lockout.judge(kept, isRight: true, at: start + .seconds(10), under: rules)
        #expect(later.outcome == .ok)
        #expect(later.kept == nil)
    }

    @Test func afterALockTheCountBeginsAnew() {
        let kept = Lockout(wrong: 3, lastWrong: start, lockedUntil: start + .seconds(10))
        #expect(
            Lockout.judge(kept, isRight: false, at: start + .seconds(11), under: rules).outcome
                == .wrongPIN(remaining: 2))
    }

    @Test func wrongPINsOfYesterdayAreForgotten() {
        let kept = Lockout(wrong: 2, lastWrong: start, lockedUntil: nil)
        #expect(
            Lockout.judge(kept, isRight: false, at: start + .seconds(86_399), under: rules).outcome.name == "locked")
        #expect(
            Lockout.judge(kept, isRight: false, at: start + .seconds(86_400), under: rules).outcome
                == .wrongPIN(remaining: 2))
    }
}

@Suite struct TransferRuleTests {
    let rules = BankRules(singleLimitMinor: 5000, dailyLimitMinor: 9000)

    func account(_ customer: Int, _ balance: Int64, _ status: Account.Status = .open) throws -> Account {
        let number = try #require(CustomerNumber(customer))
        return Account(number: AccountNumber(first: number), currency: .cny, balanceMinor: balance, status: status)
    }

    @Test func eachRefusalHasItsReason() throws {
        let payer = try account(1, 20_000)
        let payee = try account(2, 0)
        func reason(_ amount: Int64, from: Account, to: Account?, sent: Int64 = 0) -> RefusalReason? {
            rules.refusal(amountMinor: amount, from: from, to: to, sentToday: sent)
        }
        #expect(reason(5000, from: payer, to: payee) == nil)
        #expect(reason(0, from: payer, to: payee) == .invalidAmount)
        #expect(reason(-1, from: payer, to: payee) == .invalidAmount)
        #expect(reason(.min, from: payer, to: payee) == .invalidAmount)
        #expect(reason(1, from: payer, to: nil) == .unknownPayee)
        #expect(reason(1, from: payer, to: payer) == .sameAccount)
        #expect(reason(1, from: payer, to: try account(2, 0, .frozen)) == .frozen)
        #expect(reason(1, from: try account(1, 5, .frozen), to: payee) == .frozen)
        #expect(reason(5001, from: payer, to: payee) == .singleLimit)
        #expect(reason(4000, from: payer, to: payee, sent: 5000) == nil)
        #expect(reason(4001, from: payer, to: payee, sent: 5000) == .dailyLimit)
        #expect(reason(1, from: payer, to: payee, sent: .max) == .dailyLimit)
        #expect(reason(101, from: try account(1, 100), to: payee) == .insufficient)
        #expect(reason(100, from: try account(1, 100), to: payee) == nil)
        #expect(reason(1, from: payer, to: try account(2, .max)) == .invalidAmount)
    }

    @Test func theBankItselfIsNoPayee() throws {
        #expect(
            rules.refusal(
                amountMinor: 1, from: try account(1, 100), to: Account(number: .equity, currency: .cny), sentToday: 0)
                == .unknownPayee)
    }
}

@Suite struct OutcomeTests {
    @Test func namesAreWhatMenusBranchOn() {
        #expect(BankOutcome.balance(Money(minor: 1, currency: .cny)).name == "ok")
        #expect(BankOutcome.wrongPIN(remaining: 1).name == "wrong-pin")
        #expect(BankOutcome.refused(.dailyLimit).name == "refused")
        #expect(BankOutcome.refused(.dailyLimit).detailedName == "refused-daily-limit")
    }

    @Test func keptResultsReadBack() throws {
        let outcomes: [BankOutcome] = [
            .done, .already, .refused(.frozen), .locked(until: .epoch), .wrongPIN(remaining: 2),
        ]
        for outcome in outcomes {
            #expect(try JSONDecoder().decode(BankOutcome.self, from: JSONEncoder().encode(outcome)) == outcome)
        }
    }
}
