import Banking
import Foundation
import GRDB
import Primitives
import Session
import Testing

@testable import Store

@Suite struct SQLiteEngineTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    func ask(_ request: StoreRequest, _ engine: inout SQLiteEngine, at wall: WallTime = Given.start) -> StoreReply {
        do {
            let replies = try engine.perform([request]) {
                StoreTime(wall: wall, sinceBoot: .zero, bootID: "boot")
            }
            return replies.first ?? .refused("no reply")
        } catch {
            return .unavailable(error)
        }
    }

    func trouble(_ path: String) -> StoreTrouble? {
        do throws(StoreTrouble) {
            _ = try SQLiteEngine(path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test func twoNodesShareTheFileAndTheStaleOwnerIsRefused() throws {
        var a = try SQLiteEngine(path: scratch.file)
        var b = try SQLiteEngine(path: scratch.file)
        let (old, new) = (try Given.node("center-a"), try Given.node("center-b"))
        #expect(ask(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)]), &a) == .done)
        #expect(ask(.open(Given.write(Given.checkpoint(1), old)), &a) == .done)
        #expect(ask(.checkpoint(Given.write(Given.checkpoint(1, state: "main"), old)), &a) == .done)
        #expect(ask(.fence(old, under: nil), &b) == .done)
        guard
            case .claimed(let claimed) = ask(
                .claim(Given.session(1), from: Ownership(node: old), by: new, ground: .fenced), &b)
        else { return unexpectedReply() }
        #expect(claimed.checkpoint.menu?.state == "main")
        #expect(ask(.checkpoint(Given.write(Given.checkpoint(1), old)), &a) == .notOwner)
        let transfer = try Given.transfer("op", from: 1, to: 2, 100)
        #expect(ask(.bank(BankRequest(transfer, under: Given.write(Given.checkpoint(1), old))), &a) == .notOwner)
        let mine = Given.write(Given.checkpoint(1), new, epoch: 2)
        #expect(ask(.bank(BankRequest(transfer, under: mine)), &b) == .bank(.done))
        #expect(ask(.bank(BankRequest(transfer)), &a) == .bank(.done))
        #expect(ask(.accounts(includingBank: false), &a).accounts.map(\.balanceMinor) == [900, 100])
    }

    @Test func moneyAndLocksSurviveARestart() throws {
        do {
            var engine = try SQLiteEngine(path: scratch.file)
            _ = ask(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)]), &engine)
            #expect(ask(.bank(BankRequest(try Given.transfer("op", from: 1, to: 2, 100))), &engine) == .bank(.done))
            for _ in 0..<3 { _ = ask(try Given.login(1, "135790"), &engine) }
            #expect(ask(.bindPINKey(id: "k1"), &engine) == .done)
        }
        var engine = try SQLiteEngine(path: scratch.file)
        #expect(ask(.bank(BankRequest(try Given.transfer("op", from: 1, to: 2, 100))), &engine) == .bank(.done))
        #expect(ask(.accounts(includingBank: false), &engine).accounts.map(\.balanceMinor) == [900, 100])
        let until = Given.start + .seconds(900)
        #expect(ask(try Given.login(1, "246810"), &engine) == .bank(.locked(until: until)))
        #expect(ask(try Given.login(1, "246810"), &engine, at: until) == .bank(.ok))
        #expect(ask(.bindPINKey(id: "k2"), &engine) == .wrongKey(expected: "k1"))
    }

    /// A process that is killed leaves the file and its log as they are in that moment: the copy is what the next
    /// start finds.
    @Test func aKillAtAnyMomentKeepsWhatWasAnswered() throws {
        var engine = try SQLiteEngine(path: scratch.file)
        _ = ask(.seed(try (1...4).map { try Given.opening($0, minor: 1000) }), &engine)
        var random = SeededRandom(seed: 5)
        for round in 0..<20 {
            let from = Int.random(in: 1...4, using: &random)
            let request = try Given.transfer("op-\(round)", from: from, to: from % 4 + 1, 10)
            #expect(ask(.bank(BankRequest(request)), &engine) == .bank(.done))
            let expected = ask(.accounts(includingBank: true), &engine)
            let crashed = "\(scratch.directory)/crashed-\(round).sqlite"
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(atPath: scratch.file + suffix, toPath: crashed + suffix)
            }
            var next = try SQLiteEngine(path: crashed)
            #expect(ask(.accounts(includingBank: true), &next) == expected)
            #expect(ask(.audit, &next).audit?.ok == true)
            #expect(ask(.bank(BankRequest(request)), &next) == .bank(.done))
            #expect(ask(.accounts(includingBank: true), &next) == expected)
        }
    }

    @Test func noSecretIsInTheFile() throws {
        let key = try Given.key(0x5C)
        let customer = try Given.customer(1)
        let pin = try #require(SecretDigits("730194"))
        var engine = try SQLiteEngine(path: scratch.file)
        _ = ask(
            .seed([OpeningCustomer(number: customer, pin: key.digest(of: pin, customer: customer), openingMinor: 5)]),
            &engine)
        _ = ask(.bindPINKey(id: key.id), &engine)
        let new = try #require(SecretDigits("918273"))
        let wrong = try #require(SecretDigits("555019"))
        let operations = [
            BankOperation(customer: customer, .login(pin: pin)), BankOperation(customer: customer, .login(pin: wrong)),
            BankOperation(customer: customer, .changePIN(try #require(OperationID("pin-op")), new: new)),
        ]
        for operation in operations {
            _ = ask(.bank(BankRequest(LedgerRequest(operation, key: key))), &engine)
        }
        var bytes = Data()
        for suffix in ["", "-wal"] { bytes += try Data(contentsOf: URL(fileURLWithPath: scratch.file + suffix)) }
        #expect(bytes.range(of: Data("pin-op".utf8)) != nil, "the search finds what is there")
        for secret in ["730194", "918273", "555019"] { #expect(bytes.range(of: Data(secret.utf8)) == nil) }
        #expect(bytes.range(of: Data(repeating: 0x5C, count: 32)) == nil)
    }

    @Test func aNewerMajorSchemaIsRefusedAndANewerMinorUsed() throws {
        _ = try SQLiteEngine(path: scratch.file)
        func setVersion(_ version: Int) throws {
            let queue = try DatabaseQueue(path: scratch.file)
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = \(version)") }
        }
        try setVersion(1007)
        #expect(trouble(scratch.file) == nil)
        try setVersion(2000)
        let refused = try #require(trouble(scratch.file))
        #expect(refused.kind == .schema)
        #expect(refused.detail.contains("2.0"))
    }

    /// A file as release 1.0 left it, with a node in it.
    @Test func anOlderMinorSchemaIsExtendedAndKeepsItsRows() throws {
        _ = try SQLiteEngine(path: scratch.file)
        let queue = try DatabaseQueue(path: scratch.file)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "ALTER TABLE nodes DROP COLUMN host")
            try db.execute(sql: "ALTER TABLE nodes DROP COLUMN boot_id")
            try db.execute(
                sql: "INSERT INTO nodes VALUES ('center-a', 'i1', 'center', 1, 2, '127.0.0.1:8081', 1, 1, 3, 4)")
            try db.execute(sql: "PRAGMA user_version = 1000")
        }
        var engine = try SQLiteEngine(path: scratch.file)
        guard case .nodes(let rows) = ask(.nodes, &engine) else { return unexpectedReply() }
        #expect(rows.map(\.registration.machine) == [.unknown])
        let registration = Given.registration(try Given.node("center-a", "i2"))
        #expect(ask(.register(registration), &engine) == .done)
        guard case .nodes(let next) = ask(.nodes, &engine) else { return unexpectedReply() }
        #expect(next.map(\.registration) == [registration])
        #expect(try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") } == SQLiteSchema.version)
    }

    @Test func aDatabaseOfAnotherProgramIsLeftAlone() throws {
        let queue = try DatabaseQueue(path: scratch.file)
        try queue.write { try $0.execute(sql: "CREATE TABLE theirs (x)") }
        #expect(trouble(scratch.file)?.kind == .schema)
        #expect(try queue.read { try $0.tableExists("sessions") } == false)
    }

    @Test func placesThatCannotHoldAStoreAreNamed() throws {
        #expect(trouble("\(scratch.directory)/none/tandem.sqlite")?.kind == .missing)
        #expect(trouble(scratch.directory)?.kind == .denied)
        let garbage = "\(scratch.directory)/garbage.sqlite"
        try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: garbage))
        #expect(trouble(garbage)?.kind == .corrupt)
        #expect(try Data(contentsOf: URL(fileURLWithPath: garbage)) == Data(repeating: 0x41, count: 8192))
    }

    @Test func aLockThatAnotherHoldsIsTroubleAndNothingIsDone() throws {
        var engine = try SQLiteEngine(path: scratch.file)
        let other = try DatabaseQueue(path: scratch.file)
        try other.inDatabase { db in
            try db.beginTransaction(.immediate)
            let reply = ask(.bindPINKey(id: "k"), &engine)
            #expect(reply.trouble?.kind == .locked)
            #expect(engine.query(.nodes, at: StoreTime(wall: .epoch, sinceBoot: .zero, bootID: "")) == .nodes([]))
            try db.rollback()
        }
        #expect(ask(.bindPINKey(id: "other"), &engine) == .done)
    }

    @Test func aDamagedRowFailsItsRequestOnly() throws {
        var engine = try SQLiteEngine(path: scratch.file)
        let node = try Given.node("center-a")
        for seed in [1, 2] { _ = ask(.open(Given.write(Given.checkpoint(UInt64(seed)), node)), &engine) }
        let other = try DatabaseQueue(path: scratch.file)
        try other.write { db in
            try db.execute(
                sql: "UPDATE sessions SET checkpoint = x'00', owner_name = 7 WHERE id = ?",
                arguments: [Given.session(1).description])
            try db.execute(
                sql: "UPDATE sessions SET checkpoint = ? WHERE id = ?",
                arguments: [Data(#"{"v":99}"#.utf8), Given.session(2).description])
        }
        let requests: [StoreRequest] = [
            .session(Given.session(1)),
            .claim(Given.session(2), from: Ownership(node: node), by: node, ground: .handover), .bindPINKey(id: "k"),
        ]
        var replies: [StoreReply] = []
        // A batch whose time is up answers only its head.
        while replies.count < requests.count {
            replies += try engine.perform(Array(requests.dropFirst(replies.count))) {
                StoreTime(wall: .epoch, sinceBoot: .zero, bootID: "")
            }
        }
        guard case .refused = replies[0], case .refused(let why) = replies[1] else {
            return unexpectedReply("\(replies)")
        }
        #expect(why.contains("format 99"))
        #expect(replies[2] == .done)
    }

    @Test func aTransactionEndsWhenItsTimeIsUp() throws {
        var engine = try SQLiteEngine(path: scratch.file)
        let seeds = try (0..<20).map { block in
            StoreRequest.seed(try (1...50).map { try Given.opening(block * 50 + $0, minor: 1) })
        }
        let replies = try engine.perform(seeds) { StoreTime(wall: .epoch, sinceBoot: .zero, bootID: "") }
        #expect(!replies.isEmpty)
        #expect(replies.count < seeds.count)
        #expect(ask(.accounts(includingBank: false), &engine).accounts.count == replies.count * 50)
    }

    @Test func tamperingIsFoundByTheAudit() throws {
        var engine = try SQLiteEngine(path: scratch.file)
        _ = ask(.seed([try Given.opening(1, minor: 1000), try Given.opening(2, minor: 0)]), &engine)
        _ = ask(.bank(BankRequest(try Given.transfer("op", from: 1, to: 2, 100))), &engine)
        #expect(ask(.audit, &engine).audit?.ok == true)
        let other = try DatabaseQueue(path: scratch.file)
        func audit(after sql: String) throws -> AuditReport {
            try other.write { try $0.execute(sql: sql) }
            return try #require(ask(.audit, &engine).audit)
        }
        let balance = try audit(after: "UPDATE accounts SET balance_minor = 5000 WHERE number = '100000020001'")
        #expect(!balance.ok)
        #expect(balance.differences.map(\.account) == ["100000020001"])
        #expect(balance.differences.first?.entriesMinor == 100)
        let entry = try audit(after: "UPDATE entries SET amount_minor = 5000 WHERE amount_minor = 100")
        #expect(entry.unbalanced == ["op"])
        let none = try audit(after: "DELETE FROM entries WHERE operation = 'op'")
        #expect(none.unbalanced == ["op"])
    }
}
