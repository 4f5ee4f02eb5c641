import Banking
import Foundation
import Primitives
import Session
import Store
import Synchronization

#if PostgreSQL
    import StorePostgres
#endif

// Checkpoints a second that a store takes, what a transfer waits meanwhile, and how fast calls change their owner.
//
// Usage: StoreBenchmark [FILE | postgres://USER@HOST:PORT/DATABASE] [--seconds N] [--delay MS]
//   The file must not exist, the database must hold no store in use. --seconds is for each rate of checkpoints, 5
//   unless given. --delay puts a relay before the server that hands everything on so much later, each way.
// Each rate has one line to read, each figure one of five words: figure ENGINE NAME VALUE UNIT.

/// What one run counts, from any thread.
final class Tally: Sendable {
    let written = Atomic<Int>(0)
    let waiting = Atomic<Int>(0)
    let isOver = Atomic<Bool>(false)
    let transfers = Mutex<[Double]>([])
}

struct StoreBenchmark: Sendable {
    /// `sqlite` or `postgresql`.
    let engine: String
    let store: any Store
    let bank: LedgerBank
    let owner: Ownership
    let checkpoints: [Checkpoint]

    static func milliseconds(_ span: Duration) -> Double { Double(span.wholeNanoseconds) / 1e6 }

    /// Checkpoints at `rate` a second (nil: as many as are taken) over all sessions, a transfer every 20 ms.
    func run(_ rate: Int?, for span: Duration) async {
        let tally = Tally()
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await transfers(tally) }
            group.addTask {
                var sent = 0
                while ContinuousClock.now - start < span {
                    let due =
                        rate.map { Int(Self.milliseconds(ContinuousClock.now - start) * Double($0) / 1000) } ?? .max
                    while sent < due, tally.waiting.load(ordering: .relaxed) < checkpoints.count - 100,
                        ContinuousClock.now - start < span
                    {
                        let write = SessionWrite(checkpoints[sent % checkpoints.count], under: owner)
                        sent += 1
                        tally.waiting.wrappingAdd(1, ordering: .relaxed)
                        store.submit(.checkpoint(write)) { reply in
                            tally.waiting.wrappingSubtract(1, ordering: .relaxed)
                            if reply == .done { tally.written.wrappingAdd(1, ordering: .relaxed) }
                        }
                    }
                    try? await Task.sleep(for: .milliseconds(1))
                }
                tally.isOver.store(true, ordering: .relaxed)
            }
        }
        let seconds = Self.milliseconds(ContinuousClock.now - start) / 1000
        let waits = tally.transfers.withLock { $0.sorted() }
        let offered = rate.map(String.init) ?? "all"
        func quantile(_ share: Double) -> Double? {
            waits.isEmpty ? nil : waits[min(waits.count - 1, Int(Double(waits.count) * share))]
        }
        func said(_ share: Double) -> String { quantile(share).map { String(format: "%.1f", $0) } ?? "-" }
        print(
            "checkpoints offered/s \(offered): written/s",
            Int(Double(tally.written.load(ordering: .relaxed)) / seconds), "| transfers \(waits.count), ms: p50",
            said(0.5), "p99", said(0.99), "max", said(1))
        figure("checkpoints_offered_\(offered)", Double(tally.written.load(ordering: .relaxed)) / seconds, "1/s")
        figure("transfers_offered_\(offered)", Double(waits.count) / seconds, "1/s")
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1)] {
            if let wait = quantile(share) { figure("transfer_\(name)_offered_\(offered)", wait, "ms") }
        }
    }

    func figure(_ name: String, _ value: Double, _ unit: String) {
        print("figure \(engine) \(name) \(String(format: "%.1f", value)) \(unit)")
    }

    /// A center dies and another claims its sessions, a hundred under way at a time, as centers do.
    func claims(_ count: Int) async {
        guard let dead = NodeIdentity(name: "center-x", incarnation: "bench\(count)"),
            let heir = NodeIdentity(name: "center-b", incarnation: "bench")
        else { return }
        let from = Ownership(node: dead)
        let checkpoints = (0..<count).map { Self.checkpoint(UInt64(1_000_000 + count + $0)) }
        await withTaskGroup(of: Void.self) { group in
            for checkpoint in checkpoints {
                group.addTask { _ = await store.submit(.open(SessionWrite(checkpoint, under: from))) }
            }
        }
        _ = await store.submit(.fence(dead, under: nil))
        let start = ContinuousClock.now
        guard case .sessionHeads(let heads) = await store.submit(.sessionsOwned(by: dead, limit: count)) else { return }
        let claimed = await withTaskGroup(of: Bool.self) { group in
            var claimed = 0
            for (place, head) in heads.enumerated() {
                if place >= 100, await group.next() == true { claimed += 1 }
                group.addTask {
                    let claim = StoreRequest.claim(head.id, from: head.ownership, by: heir, ground: .fenced)
                    if case .claimed = await store.submit(claim) { return true } else { return false }
                }
            }
            for await isClaimed in group where isClaimed { claimed += 1 }
            return claimed
        }
        let wait = Self.milliseconds(ContinuousClock.now - start)
        guard claimed == count else { fatalError("\(claimed) of \(count) sessions claimed") }
        figure("claim_all_of_\(count)", wait, "ms")
        figure("claims_of_\(count)", Double(count) / wait * 1000, "1/s")
    }

    private func transfers(_ tally: Tally) async {
        var random = SystemRandomNumberGenerator()
        while !tally.isOver.load(ordering: .relaxed) {
            guard let payer = CustomerNumber(Int.random(in: 10_000_001...10_000_900)),
                let payee = CustomerNumber(10_000_950)
            else { return }
            let start = ContinuousClock.now
            let outcome = await bank.perform(
                BankOperation(
                    customer: payer, .transfer(OperationID(using: &random), payee: payee, amountMinor: 100)))
            let wait = Self.milliseconds(ContinuousClock.now - start)
            if outcome == .done { tally.transfers.withLock { $0.append(wait) } }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// A caller in the middle of a transfer: about 2 KB.
    static func checkpoint(_ seed: UInt64) -> Checkpoint {
        var random = SeededRandom(seed: seed)
        let now = StoreTime.system().wall
        let sdp = """
            v=0\r\no=- 3981 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 10000 RTP/AVP 8 101\r
            a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n
            """
        let record = CallRecord(
            id: SessionID(using: &random), line: "95533", from: "+8613800000000", centers: ["center-a"], started: now,
            answered: now, path: ["language", "main", "login", "banking", "transfer-payee"])
        let dialog = DialogCheckpoint(
            leg: .caller, role: .server, state: .confirmed, callID: "\(random.hex(16))@192.0.2.7",
            localTag: "center-a.k3f9x2.\(random.hex(8))", remoteTag: random.hex(8), localURI: "sip:95533@bank.example",
            remoteURI: "sip:+8613800000000@192.0.2.7", localCSeq: 1, remoteCSeq: 2,
            routeSet: ["<sip:127.0.0.1:5060;lr>"], remoteTarget: "sip:u@192.0.2.7:5062", flow: "udp 127.0.0.1:5060",
            invite: InviteCheckpoint(
                role: .server, cseq: 1, acknowledged: true,
                vias: ["SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK\(random.hex(12))"],
                recordRoutes: ["<sip:127.0.0.1:5060;lr>"]), localSDP: sdp, remoteSDP: sdp,
            timer: SessionTimerCheckpoint(interval: 1800, refresher: .remote, deadline: now))
        let media = MediaCheckpoint(
            leg: .caller, codec: "PCMA", payloadType: 8, telephoneEventType: 101, packetTime: 20, direction: .sendrecv,
            signalledAddress: "192.0.2.7:4000", latchedAddress: "192.0.2.7:4000", origin: "- 3981 1 IN IP4 127.0.0.1",
            originVersion: 1)
        let menu = MenuCheckpoint(
            menu: "telephone-banking", hash: random.hex(64), state: "transfer-payee", stack: ["main"],
            variables: ["payee": "10000008"], language: "zh",
            login: LoginCheckpoint(customer: "10000007", expires: now),
            pendingOperation: PendingOperation(id: random.hex(32), phase: .offered))
        return Checkpoint(dialogs: [dialog], media: [media], menu: menu, record: record)
    }
}

/// What the command line says.
struct Options {
    var place = "\(NSTemporaryDirectory())/store-benchmark-\(getpid()).sqlite"
    var seconds = 5
    var delay = 0

    init(_ words: [String]) {
        var words = words[...]
        while let word = words.popFirst() {
            switch word {
            case "--seconds": seconds = words.popFirst().flatMap(Int.init) ?? seconds
            case "--delay": delay = words.popFirst().flatMap(Int.init) ?? delay
            default: place = word
            }
        }
    }

    var isPostgres: Bool { place.hasPrefix("postgres") }

    /// The server's place, or that of the relay before it.
    func url() throws -> String {
        guard delay > 0, var components = URLComponents(string: place), let host = components.host else { return place }
        let proxy = try DelayingProxy(
            to: host, port: UInt16(components.port ?? 5432), delay: .milliseconds(delay))
        components.host = "127.0.0.1"
        components.port = Int(proxy.port)
        return components.string ?? place
    }

    func open() throws -> any ClosableStore {
        if isPostgres {
            #if PostgreSQL
                return PostgresStore(url: try url())
            #else
                fatalError("this build has no PostgreSQL")
            #endif
        }
        guard !FileManager.default.fileExists(atPath: place) else { fatalError("\(place) exists already") }
        return SQLiteStore(path: place)
    }
}

let options = Options(Array(CommandLine.arguments.dropFirst()))
let store = try options.open()
guard let key = PINKey(bytes: Array(repeating: 1, count: PINKey.size)),
    let node = NodeIdentity(name: "center-a", incarnation: "bench")
else { fatalError("no key") }
guard await store.submit(.accounts(includingBank: true)) == .accounts([]) else {
    fatalError("the store holds accounts already, or cannot be used: \(store.health)")
}
let benchmark = StoreBenchmark(
    engine: options.isPostgres ? "postgresql" : "sqlite", store: store, bank: LedgerBank(store: store, key: key),
    owner: Ownership(node: node), checkpoints: (0..<2000).map { StoreBenchmark.checkpoint($0) })
let begin = ContinuousClock.now
guard await benchmark.bank.bindKey() == .done else { fatalError("the store has another PIN key") }
_ = await DemoBank.seed(store, key: key)
benchmark.figure("enter_1000_customers", StoreBenchmark.milliseconds(ContinuousClock.now - begin), "ms")
let encoding = ContinuousClock.now
for checkpoint in benchmark.checkpoints { _ = try checkpoint.encoded() }
benchmark.figure("encode_checkpoint", StoreBenchmark.milliseconds(ContinuousClock.now - encoding) / 2, "µs")
await withTaskGroup(of: Void.self) { group in
    for checkpoint in benchmark.checkpoints {
        group.addTask { _ = await store.submit(.open(SessionWrite(checkpoint, under: benchmark.owner))) }
    }
}
for rate in [500, 5000, nil] as [Int?] { await benchmark.run(rate, for: .seconds(options.seconds)) }
for count in [500, 2000] { await benchmark.claims(count) }
if case .audit(let report) = await store.submit(.audit) {
    print("audit ok: \(report.ok)")
}
await store.close()
if !options.isPostgres {
    for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: options.place + suffix) }
}
