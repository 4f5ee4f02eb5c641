import Banking
import Logging
import Primitives
import Store
import Testing

@testable import Center

/// A center that starts while its store is away settles with it what it has to when it is back.
@Suite struct StoreDutiesTests {
    private let store = MemoryStore()
    private let customer = CustomerNumber(10_000_007)

    private func key(_ byte: UInt8 = 7) throws -> PINKey {
        try #require(PINKey(bytes: Array(repeating: byte, count: PINKey.size)))
    }

    private func duties(_ bank: LedgerBank, _ key: PINKey) -> StoreDuties {
        StoreDuties(
            store: store, bank: bank, key: key, seedsCustomers: true,
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func login(_ bank: LedgerBank) async throws -> BankOutcome {
        let pin = try #require(SecretDigits("246810"))
        return await bank.perform(BankOperation(customer: try #require(customer), .login(pin: pin)))
    }

    /// Under a key that was never compared, every right PIN might count as a wrong one.
    @Test func noPINIsJudgedBeforeTheKeyIsKnownToBeTheStores() async throws {
        let key = try key()
        let bank = LedgerBank(store: store, key: key)
        let duties = duties(bank, key)
        let away = StoreTrouble(.locked, "away")
        store.setTrouble(away)
        #expect(await duties.perform() == .unavailable(away))
        #expect(duties.degraded.count == 2)
        store.setTrouble(nil)
        #expect(try await login(bank) == .unavailable)
        duties.keep([("hash", [1, 2, 3])])
        duties.stop()
        #expect(await duties.perform() == .done)
        #expect(duties.degraded.isEmpty)
        #expect(try await login(bank) == .ok)
        #expect(await store.submit(.menu(hash: "hash")) == .menu([1, 2, 3]))
    }

    @Test func aForeignKeyNeverServes() async throws {
        let own = LedgerBank(store: store, key: try key())
        #expect(await own.bindKey() == .done)
        let other = try key(9)
        let bank = LedgerBank(store: store, key: other)
        let duties = duties(bank, other)
        #expect(await duties.perform() == .wrongKey(expected: try key().id))
        #expect(duties.degraded.first?.contains("expected key \(try key().id)") == true)
        #expect(try await login(bank) == .unavailable)
    }
}
