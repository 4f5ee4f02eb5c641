import Banking
import Foundation
import Primitives
import Routing
import Session
import Testing

@testable import Store

#if PostgreSQL
    @testable import StorePostgres
#endif

enum EngineKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, sqlite, postgres
    var testDescription: String { rawValue }

    /// Those that can run here.
    static let allCases: [EngineKind] = {
        #if PostgreSQL
            if PostgresServer.isInstalled { return [.memory, .sqlite, .postgres] }
        #endif
        return [.memory, .sqlite]
    }()
}

/// How much slower than usual this run may be: under a sanitizer everything takes several times as long.
enum Pace {
    static let factor = ProcessInfo.processInfo.environment["TANDEM_TEST_SLOWNESS"].flatMap { Int($0) } ?? 1

    static func time(_ usual: Duration) -> Duration { usual * factor }

    /// For tests of what is done, not of how long it takes: nobody gives up because others are at work.
    static var patientLimits: WriteQueue.Limits {
        var limits = WriteQueue.Limits()
        limits.patience = .seconds(60)
        return limits
    }
}

/// A directory that goes with its test.
final class Scratch: Sendable {
    let directory: String

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "tandem-store-\(UUID())").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    var file: String { directory + "/tandem.sqlite" }
}

/// An engine of any kind with a clock that only the test moves.
struct StoreUnderTest {
    let scratch: Scratch
    var engine: any StoreEngine
    var now = StoreTime(wall: Given.start, sinceBoot: MonotonicTime(nanoseconds: 1_000_000_000), bootID: "boot-1")

    init(_ kind: EngineKind, rules: BankRules = .standard) throws {
        scratch = try Scratch()
        switch kind {
        case .memory: engine = MemoryEngine(id: "store-1", rules: rules)
        case .sqlite: engine = try SQLiteEngine(path: scratch.file, rules: rules)
        case .postgres:
            #if PostgreSQL
                engine = try PostgresServer.engine(rules: rules)
            #else
                throw StoreTrouble(.schema, "built without PostgreSQL")
            #endif
        }
    }

    mutating func ask(_ request: StoreRequest) -> StoreReply {
        let now = now
        do {
            return try engine.perform([request]) { now }.first ?? .refused("no reply")
        } catch {
            return .unavailable(error)
        }
    }

    mutating func ask(all requests: [StoreRequest]) throws -> [StoreReply] {
        let now = now
        var replies: [StoreReply] = []
        while replies.count < requests.count {
            replies += try engine.perform(Array(requests[replies.count...])) { now }
        }
        return replies
    }

    mutating func pass(_ span: Duration) {
        now.wall = now.wall + span
        now.sinceBoot = now.sinceBoot + span
    }
}

/// Values that tests are written in.
enum Given {
    static let start = WallTime(milliseconds: 1_772_352_930_250)

    static func node(_ name: String, _ incarnation: String = "i1") throws -> NodeIdentity {
        try #require(NodeIdentity(name: name, incarnation: incarnation))
    }

    static func registration(_ identity: NodeIdentity, role: NodeRole = .center) -> NodeRegistration {
        NodeRegistration(
            identity: identity, role: role, pid: 4711, processStart: 12_345, httpAddress: "127.0.0.1:8081",
            checkpointVersions: 1...2, machine: MachineIdentity(host: "bank-1", bootID: "boot-1"))
    }

    static func session(_ seed: UInt64) -> SessionID {
        var random = SeededRandom(seed: seed)
        return SessionID(using: &random)
    }

    static func checkpoint(
        _ seed: UInt64, state: String = "language", callID: String? = nil, pending: PendingOperation? = nil,
        login: String? = nil
    ) -> Checkpoint {
        let record = CallRecord(
            id: session(seed), line: "95533", from: "+861380000\(1000 + seed % 9000)", centers: ["center-a"],
            started: start + .seconds(Int64(seed)), answered: start + .seconds(Int64(seed)), path: ["language"])
        let dialog = DialogCheckpoint(
            leg: .caller, role: .server, state: .confirmed, callID: callID ?? "call-\(seed)@192.0.2.7",
            localTag: "center-a.i1.5f", remoteTag: "77", localURI: "sip:95533@bank", remoteURI: "sip:c@192.0.2.7",
            localCSeq: 1, remoteCSeq: 2, routeSet: ["<sip:127.0.0.1;lr>"], remoteTarget: "sip:c@192.0.2.7:5062",
            flow: "udp 127.0.0.1:5060",
            invite: InviteCheckpoint(role: .server, cseq: 1, acknowledged: true, vias: ["SIP/2.0/UDP 192.0.2.7"]),
            localSDP: "v=0\r\n", remoteSDP: "v=0\r\n")
        let menu = MenuCheckpoint(
            menu: "telephone-banking", hash: "hash-1", state: state, language: "zh",
            login: login.map { LoginCheckpoint(customer: $0, expires: start + .seconds(600)) },
            pendingOperation: pending)
        return Checkpoint(dialogs: [dialog], media: [], menu: menu, record: record)
    }

    static func write(_ checkpoint: Checkpoint, _ node: NodeIdentity, epoch: Int64 = 1) -> SessionWrite {
        SessionWrite(checkpoint, under: Ownership(node: node, epoch: epoch))
    }

    static func key(_ byte: UInt8 = 7) throws -> PINKey {
        try #require(PINKey(bytes: Array(repeating: byte, count: 32)))
    }

    static func customer(_ n: Int) throws -> CustomerNumber { try #require(CustomerNumber(10_000_000 + n)) }

    static func digest(_ pin: String, of customer: CustomerNumber) throws -> PINDigest {
        try key().digest(of: try #require(SecretDigits(pin)), customer: customer)
    }

    static func opening(_ n: Int, minor: Int64) throws -> OpeningCustomer {
        OpeningCustomer(
            number: try customer(n), pin: try digest("246810", of: customer(n)), openingMinor: minor)
    }

    static func transfer(_ id: String, from: Int, to: Int, _ amount: Int64) throws -> LedgerRequest {
        LedgerRequest(
            customer: try customer(from),
            .transfer(try #require(OperationID(id)), payee: try customer(to), amountMinor: amount))
    }

    static func login(_ n: Int, _ pin: String) throws -> StoreRequest {
        .bank(BankRequest(LedgerRequest(customer: try customer(n), .login(try digest(pin, of: customer(n))))))
    }
}

extension StoreReply {
    var head: StoredSession? { if case .sessions(let sessions) = self { sessions.first } else { nil } }
    var accounts: [AccountRow] { if case .accounts(let rows) = self { rows } else { [] } }
    var transfers: [TransferRow] { if case .transfers(let rows) = self { rows } else { [] } }
    var audit: AuditReport? { if case .audit(let report) = self { report } else { nil } }
    var trouble: StoreTrouble? { if case .unavailable(let trouble) = self { trouble } else { nil } }
}

/// The reply was of another case than the test can go on with.
func unexpectedReply(_ what: String = "", at location: SourceLocation = #_sourceLocation) {
    Issue.record("unexpected reply \(what)", sourceLocation: location)
}
