import Banking
import Foundation
import Primitives
import Store
import Testing

@testable import tandem

@Suite struct BankStoreTests {
    /// A folder that goes with the test.
    final class Folder {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("bank-\(UUID().uuidString)").path

        init() throws {
            try FileManager.default.createDirectory(atPath: path + "/run", withIntermediateDirectories: true)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ text: String, to name: String) throws {
            try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        }
    }

    static let master = """
        role: master
        name: master-a
        sip: {listen: ["127.0.0.1:5070"]}
        http: 127.0.0.1:8080
        store: "postgres://tandem:secret@db-1/tandem"
        nodes: [{name: center-a, role: center, sip: "127.0.0.1:5081", http: "127.0.0.1:8081"}]
        """

    @Test(arguments: [false, true])
    func whereNoBankIsTheCommandFailsAndMakesNoFile(_ hasRun: Bool) async throws {
        let folder = try Folder()
        if hasRun { try folder.write("sqlite:bank.sqlite\n", to: "run/store") }
        let bank = try BankStore(store: nil, profiles: nil, state: folder.path, usualProfiles: "/nowhere")
        let before = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        let failure = await #expect(throws: CommandFailure.self) { _ = try await bank.ask(.audit) }
        #expect(failure?.status == 1 && failure?.lines.count == 1)
        #expect(failure?.lines.first?.hasPrefix("bank: no bank here: \(folder.path)/") == true)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.path) == before)
    }

    @Test func anEmptyStoreIsNoBank() async throws {
        let folder = try Folder()
        try folder.write("", to: "tandem.sqlite")
        let bank = try BankStore(store: nil, profiles: nil, state: folder.path, usualProfiles: "/nowhere")
        for request in [BankRequest.audit, .accounts, .transfers, .attempts] {
            let failure = await #expect(throws: CommandFailure.self) {
                switch request {
                case .audit: _ = try await bank.ask(.audit)
                case .accounts: _ = try await bank.ask(.accounts(includingBank: false))
                case .transfers: _ = try await bank.ask(.transfers(limit: 10))
                case .attempts: _ = try await bank.ask(.attempts(limit: 10))
                }
            }
            #expect(failure?.status == 1 && failure?.lines.first?.contains("no bank here") == true)
        }
    }

    enum BankRequest { case audit, accounts, transfers, attempts }

    /// What was tried at the bank, logins too, is there for whoever looks into it.
    @Test func attemptsComeNewestFirst() async throws {
        let folder = try Folder()
        try folder.write("sqlite:bank.sqlite\n", to: "run/store")
        let bank = try BankStore(store: nil, profiles: nil, state: folder.path, usualProfiles: "/nowhere")
        let store = SQLiteStore(path: folder.path + "/bank.sqlite")
        let key = try #require(PINKey(bytes: Array(repeating: 1, count: PINKey.size)))
        let ledger = LedgerBank(store: store, key: key)
        #expect(await ledger.bindKey() == .done)
        let customer = try #require(CustomerNumber(10_000_001))
        let pin = try #require(SecretDigits("246810"))
        let opening = OpeningCustomer(
            number: customer, pin: key.digest(of: pin, customer: customer), openingMinor: 1_000_000)
        #expect(await store.submit(.seed([opening])) == .done)
        guard case .attempts([]) = try await bank.ask(.attempts(limit: 10)) else {
            Issue.record("a bank that nobody called is one")
            return
        }
        for digits in ["000000", "246810"] {
            _ = await ledger.perform(BankOperation(customer: customer, .login(pin: try #require(SecretDigits(digits)))))
        }
        await store.close()
        guard case .attempts(let rows) = try await bank.ask(.attempts(limit: 10)) else {
            Issue.record("no attempts")
            return
        }
        #expect(rows.map(\.operation) == ["login", "login"])
        #expect(rows.map(\.outcome) == ["ok", "wrong-pin"])
        #expect(rows.allSatisfy { $0.customer == "10000001" && $0.session == nil })
    }

    @Test func theStoreIsTheOneThatTheNodesOfTheFolderUse() throws {
        let folder = try Folder()
        try folder.write("postgres://tandem:secret@db-2/tandem\n", to: "run/store")
        try folder.write(Self.master, to: "master-a.yaml")
        func found(store: String? = nil, profiles: String? = nil) throws -> String {
            try BankStore(store: store, profiles: profiles, state: folder.path, usualProfiles: folder.path)
                .location.description
        }
        #expect(try found().contains("@db-2/tandem"))
        #expect(try found(profiles: folder.path).contains("@db-1/tandem"), "what was asked for goes before notes")
        #expect(try found(store: "sqlite:x", profiles: folder.path) == "sqlite:x")
        try FileManager.default.removeItem(atPath: folder.path + "/run/store")
        #expect(try found().contains("@db-1/tandem"), "no node was started yet: the usual profiles tell")
    }

    @Test func profilesThatNameTwoStoresAreNotGuessedAbout() throws {
        let folder = try Folder()
        try folder.write(Self.master, to: "master-a.yaml")
        try folder.write(
            Self.master.replacing("master-a", with: "master-b").replacing("5070", with: "5071")
                .replacing("8080", with: "8088").replacing("db-1", with: "db-2"), to: "master-b.yaml")
        let failure = #expect(throws: CommandFailure.self) {
            _ = try BankStore(store: nil, profiles: folder.path, state: folder.path)
        }
        #expect(failure?.status == 2)
        #expect(failure?.lines.contains { $0.contains("secret") } == false)
    }
}
