import Banking
import Foundation
import Primitives
import Session
import Testing

@testable import Store

#if PostgreSQL
    @testable import StorePostgres
#endif
#if canImport(Glibc)
    import Glibc
#endif

/// What a process that dies in the middle of a transfer leaves to the next owner (TAKEOVER.md, Money). The process is a
/// real one and its death is a real SIGKILL, at each step of a transaction or at any moment.
@Suite(.timeLimit(.minutes(10))) struct KillTests {
    static let customers = 6
    static let callers = 3
    static let opening: Int64 = 1000

    struct Place: Sendable, CustomTestStringConvertible {
        let kind: EngineKind
        let seed: UInt64
        var testDescription: String { "\(kind.rawValue), seed \(seed)" }

        static let all: [Place] = EngineKind.allCases.filter { $0 != .memory }.flatMap { kind in
            [1, 2].map { Place(kind: kind, seed: $0) }
        }

        var steps: [TransactionStep] {
            kind == .sqlite ? [.beginning, .written, .committed] : [.beginning, .written, .committing, .committed]
        }
    }

    /// One operation as the dead process told it.
    struct Operation: Sendable {
        let id: OperationID
        let caller: Int
        let from: Int
        let to: Int
        let amount: Int64
        /// What the caller was told; nil where death came first.
        var heard: String?

        var request: LedgerRequest {
            get throws { try Given.transfer(id.description, from: from, to: to, amount) }
        }
    }

    /// The bank as the heirs know it, from round to round.
    final class Bank {
        let store: any ClosableStore
        let location: (place: String, schema: String)
        let scratch: Scratch
        var balances = [Int64](repeating: KillTests.opening, count: KillTests.customers)
        var done: [String] = []
        /// Under which right each caller's session is.
        var rights: [Ownership] = []

        init(_ kind: EngineKind) throws {
            scratch = try Scratch()
            switch kind {
            case .postgres:
                #if PostgreSQL
                    location = (try PostgresServer.shared.get().url, PostgresServer.freshSchema())
                    store = PostgresStore(url: location.place, schema: location.schema)
                #else
                    throw StoreTrouble(.schema, "built without PostgreSQL")
                #endif
            default:
                location = (scratch.file, "-")
                store = SQLiteStore(path: location.place)
            }
        }

        /// Asks again while the dead process's transaction may still hold what is asked for.
        func insist(_ request: StoreRequest) async -> StoreReply {
            var reply = await store.submit(request)
            for _ in 0..<50 where reply.trouble != nil { reply = await store.submit(request) }
            return reply
        }

        func move(_ operation: Operation) {
            balances[operation.from - 1] -= operation.amount
            balances[operation.to - 1] += operation.amount
            done.append(operation.id.description)
        }
    }

    @Test(arguments: Place.all) func aDeathAtAnyStepOfATransferLeavesItWhollyDoneOrNever(_ place: Place) async throws {
        let bank = try Bank(place.kind)
        let customers = try (1...Self.customers).map { try Given.opening($0, minor: Self.opening) }
        #expect(await bank.store.submit(.seed(customers)) == .done)
        let first = try Given.node("victim", "r0")
        for caller in 0..<Self.callers {
            let write = Given.write(Given.checkpoint(UInt64(caller)), first)
            #expect(await bank.store.submit(.open(write)) == .done)
            bank.rights.append(write.ownership)
        }
        var random = SeededRandom(seed: place.seed)
        var round = 0
        for step in place.steps + [nil] {
            for nth in [1, Int.random(in: 2...9, using: &random)] {
                round += 1
                try await self.round(round, place, step, nth: nth, bank)
            }
        }
        await bank.store.close()
    }

    private func round(_ round: Int, _ place: Place, _ step: TransactionStep?, nth: Int, _ bank: Bank) async throws {
        let story: Comment = "round \(round): \(step?.rawValue ?? "any moment"), transaction \(nth)"
        let (victim, heir) = (try Given.node("victim", "r\(round)"), try Given.node("heir", "r\(round)"))
        for caller in 0..<Self.callers {
            let claim = StoreRequest.claim(
                Given.session(UInt64(caller)), from: bank.rights[caller], by: victim, ground: .handover)
            guard case .claimed(let session) = await bank.insist(claim) else { return unexpectedReply("\(story)") }
            bank.rights[caller] = session.ownership
        }
        let operations = try Victim.run(
            [bank.location.place, bank.location.schema, victim.name, victim.incarnation]
                + ["\(place.seed &* 1000 &+ UInt64(round))", step?.rawValue ?? "none", "\(nth)", "\(Self.customers)"]
                + (0..<Self.callers).map { Given.session(UInt64($0)).description },
            killAfter: step == nil ? nth * 2 : nil)

        // The next owner: fence, claim, and only then the question about the id.
        #expect(await bank.insist(.fence(victim, under: nil)) == .done, story)
        let old = bank.rights
        var heirs: [StoredSession] = []
        for caller in 0..<Self.callers {
            let claim = StoreRequest.claim(
                Given.session(UInt64(caller)), from: old[caller], by: heir, ground: .fenced)
            guard case .claimed(let session) = await bank.insist(claim) else { return unexpectedReply("\(story)") }
            bank.rights[caller] = session.ownership
            heirs.append(session)
        }
        var unheard = (present: 0, absent: 0)
        var last = [String?](repeating: nil, count: Self.callers)
        for operation in operations {
            guard case .bankResult(let result) = await bank.insist(.bankResult(operation.id)) else {
                return unexpectedReply("\(story)")
            }
            if let heard = operation.heard { #expect(result?.name == heard, story) }
            if result != nil { last[operation.caller] = operation.id.description }
            if result == .done { bank.move(operation) }
            guard operation.heard == nil else { continue }
            if result == nil { unheard.absent += 1 } else { unheard.present += 1 }
            try await ask(operation, again: result, old[operation.caller], heirs[operation.caller], bank, story)
        }
        // The checkpoint is of the same transaction as the money.
        for caller in 0..<Self.callers where last[caller] != nil {
            #expect(heirs[caller].checkpoint.menu?.pendingOperation?.id == last[caller], story)
        }
        switch step {
        case .beginning, .written: #expect(unheard.present == 0 && unheard.absent > 0, story)
        case .committed: #expect(unheard.present > 0, story)
        case .committing, nil: break
        }
        try await expectBalance(bank, story)
    }

    /// A transfer whose caller was told nothing. The dead owner's right moves nothing; under the new owner's a result
    /// stands, and what never ran may run, once.
    private func ask(
        _ operation: Operation, again result: BankOutcome?, _ old: Ownership, _ heir: StoredSession, _ bank: Bank,
        _ story: Comment
    ) async throws {
        let stale = BankRequest(try operation.request, under: SessionWrite(heir.checkpoint, under: old))
        #expect(await bank.insist(.bank(stale)) == .notOwner, story)
        #expect(await bank.insist(.bankResult(operation.id)) == .bankResult(result), story)
        let mine = BankRequest(try operation.request, under: SessionWrite(heir.checkpoint, under: heir.ownership))
        let reply = await bank.insist(.bank(mine))
        guard case .bank(let outcome) = reply else { return unexpectedReply("\(story): \(reply)") }
        if let result { #expect(outcome == result, story) } else if outcome == .done { bank.move(operation) }
        #expect(await bank.insist(.bank(mine)) == reply, story)
    }

    private func expectBalance(_ bank: Bank, _ story: Comment) async throws {
        let rows = await bank.insist(.accounts(includingBank: true)).accounts
        #expect(rows.reduce(0) { $0 + $1.balanceMinor } == 0, story)
        #expect(rows.dropFirst().map(\.balanceMinor) == bank.balances, story)
        let transfers = await bank.insist(.transfers(limit: 10_000)).transfers
        #expect(transfers.filter { $0.result == "done" }.map(\.id).sorted() == bank.done.sorted(), story)
        let audit = try #require(await bank.insist(.audit).audit)
        #expect(audit.ok, "\(story): \(audit)")
    }
}

/// The process that dies.
enum Victim {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Beside the program that the tests are.
    static var program: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appending(path: "StoreVictim").path
    }

    /// Runs it to its death, and answers what it said. With `killAfter` it is killed after so many answers.
    static func run(_ arguments: [String], killAfter: Int?) throws -> [KillTests.Operation] {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
        try output.fileHandleForWriting.close()
        var text: [UInt8] = []
        var answers = 0
        var isKilled = false
        while true {
            let chunk = output.fileHandleForReading.availableData
            if chunk.isEmpty { break }
            text += chunk
            answers += chunk.count { $0 == UInt8(ascii: "h") }
            if let killAfter, answers >= killAfter, !isKilled {
                isKilled = true
                kill(process.processIdentifier, SIGKILL)
            }
        }
        process.waitUntilExit()
        guard process.terminationReason == .uncaughtSignal, process.terminationStatus == SIGKILL else {
            throw Failure(description: "\(arguments[5]) \(arguments[6]): ended by itself, \(process.terminationStatus)")
        }
        return try operations(String(decoding: text, as: UTF8.self))
    }

    private static func operations(_ text: String) throws -> [KillTests.Operation] {
        var operations: [KillTests.Operation] = []
        var places: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if words.first == "heard", words.count == 4, let place = places[words[2]] {
                operations[place].heard = words[3]
            } else if words.first == "asked", words.count == 6, let caller = Int(words[1]),
                let id = OperationID(words[2]), let from = Int(words[3]), let to = Int(words[4]),
                let amount = Int64(words[5])
            {
                places[words[2]] = operations.count
                operations.append(
                    KillTests.Operation(id: id, caller: caller, from: from, to: to, amount: amount, heard: nil))
            } else {
                throw Failure(description: "unreadable: \(line)")
            }
        }
        return operations
    }
}
