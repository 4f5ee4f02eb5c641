import Banking
import Foundation
import Primitives
import Session
import Store
import Synchronization

#if PostgreSQL
    import StorePostgres
#endif

// A center's part in moving money, which dies on purpose: at a step of the nth transaction it ends itself by SIGKILL.
// StoreTests starts it and looks at what it leaves.
//
// StoreVictim PLACE SCHEMA NODE INCARNATION SEED STEP NTH CUSTOMERS SESSION…
//   PLACE      a SQLite file, or postgres://…; SCHEMA is for the latter
//   STEP       beginning, written, committing, committed; or `none`: whoever started it ends it
//   CUSTOMERS  how many of 10000001 … there are
// Each SESSION is a caller, all at once, who transfers again and again. One line an operation on the standard output:
//   asked CALLER ID FROM TO AMOUNT      before it is handed to the store
//   heard CALLER ID RESULT              when the caller would be told

struct Usage: Error {}

/// A line in one write, so that death tears none.
func say(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}

/// Counts the transactions that come to a step, and ends the process at the nth.
func observer(_ step: TransactionStep?, nth: Int) -> TransactionObserver {
    let seen = Mutex(0)
    return { now in
        guard now == step else { return }
        let count = seen.withLock { seen in
            seen += 1
            return seen
        }
        if count == nth { kill(getpid(), SIGKILL) }
    }
}

func open(_ place: String, schema: String, _ observeStep: @escaping TransactionObserver) throws -> any ClosableStore {
    guard place.hasPrefix("postgres") else { return SQLiteStore(path: place, observeStep: observeStep) }
    #if PostgreSQL
        return PostgresStore(url: place, schema: schema, observeStep: observeStep)
    #else
        throw Usage()
    #endif
}

/// The answer is told on the store's own thread, before its next transaction.
func perform(_ request: BankRequest, _ store: any Store, _ heard: @escaping @Sendable (String) -> Void) async {
    await withCheckedContinuation { continuation in
        store.submit(.bank(request)) { reply in
            if case .bank(let outcome) = reply { heard(outcome.name) } else { heard("none") }
            continuation.resume()
        }
    }
}

func call(
    _ caller: Int, _ session: SessionID, _ store: any Store, prefix: String, seed: UInt64, customers: Int
) async throws {
    guard case .sessions(let found) = await store.submit(.session(session)), let stored = found.first else {
        throw Usage()
    }
    var random = SeededRandom(seed: seed &+ UInt64(caller))
    for n in 1...50 {
        let from = Int.random(in: 1...customers, using: &random)
        let to = Int.random(in: 1...customers, using: &random)
        let amount = Int64.random(in: 1...400, using: &random)
        guard let id = OperationID("\(prefix)-\(caller)-\(n)"), let payer = CustomerNumber(10_000_000 + from),
            let payee = CustomerNumber(10_000_000 + to)
        else { throw Usage() }
        var checkpoint = stored.checkpoint
        checkpoint.menu?.pendingOperation = PendingOperation(id: id.description, phase: .executed)
        let request = LedgerRequest(customer: payer, .transfer(id, payee: payee, amountMinor: amount))
        say("asked \(caller) \(id) \(from) \(to) \(amount)")
        await perform(
            BankRequest(request, under: SessionWrite(checkpoint, under: stored.ownership)), store
        ) { say("heard \(caller) \(id) \($0)") }
    }
}

let words = Array(CommandLine.arguments.dropFirst())
guard words.count > 8, let seed = UInt64(words[4]), let nth = Int(words[6]), let customers = Int(words[7]) else {
    throw Usage()
}
let store = try open(words[0], schema: words[1], observer(TransactionStep(rawValue: words[5]), nth: nth))
try await withThrowingTaskGroup(of: Void.self) { group in
    for (caller, text) in words.dropFirst(8).enumerated() {
        guard let session = SessionID(text) else { throw Usage() }
        group.addTask {
            try await call(caller, session, store, prefix: words[3], seed: seed, customers: customers)
        }
    }
    try await group.waitForAll()
}
await store.close()
