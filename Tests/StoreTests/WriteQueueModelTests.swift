import Banking
import Primitives
import Session
import Synchronization
import Testing

@testable import Store

/// The queue against a list that finds everything by looking at all of it.
@Suite struct WriteQueueModelTests {
    /// A write, and when its place in the queue was taken.
    private struct Entry {
        var id: Int
        var turn: Int
        var request: StoreRequest

        var session: SessionID? { request.writtenSession }
        /// Nil for what is no checkpoint.
        var checkpointOwner: Ownership? { if case .checkpoint(let write) = request { write.ownership } else { nil } }
    }

    private struct Model {
        var waiting: [Entry] = []

        /// The write that is answered instead.
        mutating func add(_ entry: Entry) -> [Int] {
            if let owner = entry.checkpointOwner, let last = waiting.lastIndex(where: { $0.session == entry.session }),
                waiting[last].checkpointOwner == owner
            {
                let answered = waiting[last].id
                waiting[last].id = entry.id
                waiting[last].request = entry.request
                return [answered]
            }
            waiting.append(entry)
            return []
        }

        mutating func take(_ count: Int) -> [Entry] {
            let batch = Array(waiting.prefix(count))
            waiting.removeFirst(batch.count)
            return batch
        }

        mutating func putBack(_ undone: [Entry]) -> [Int] {
            var answered: [Int] = []
            for entry in undone.reversed() {
                let later = waiting.filter { $0.session == entry.session }
                if let owner = entry.checkpointOwner, later.last?.checkpointOwner == owner,
                    later.allSatisfy({ $0.checkpointOwner != nil })
                {
                    answered.append(entry.id)
                } else {
                    waiting.insert(entry, at: 0)
                }
            }
            return answered
        }

        mutating func giveUp() -> [Int] {
            defer { waiting.removeAll { !$0.request.isRetained } }
            return waiting.filter { !$0.request.isRetained }.map(\.id)
        }
    }

    /// Who was answered.
    private final class Answers: Sendable {
        private let ids = Mutex<[Int]>([])
        func add(_ id: Int) { ids.withLock { $0.append(id) } }
        func give(_ due: [DueReply]) { for reply in due { reply.completion(reply.reply) } }
        var all: [Int] { ids.withLock { $0 } }
    }

    private static func request(_ id: Int, using random: inout SeededRandom) throws -> StoreRequest {
        let session = UInt64.random(in: 1...5, using: &random)
        let node = try Given.node("center-a")
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<2: return .heartbeat(node)
        case 2..<30:
            let epoch: Int64 = Int.random(in: 0..<10, using: &random) == 0 ? 2 : 1
            return .checkpoint(Given.write(Given.checkpoint(session, state: "s\(id)"), node, epoch: epoch))
        case 30..<34: return .open(Given.write(Given.checkpoint(session), node))
        case 34..<60: return .markCallerEnded(Given.session(session), at: Given.start)
        default: return .bankResult(try #require(OperationID("op-\(id)")))
        }
    }

    private func at(_ turn: Int) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(turn)) }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func orderIsKeptEachIsAnsweredOnceAndNoPlacesAreLeftBehind(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let batchSize = 8
        var queue = WriteQueue(limits: WriteQueue.Limits(batch: batchSize))
        var model = Model()
        let answers = Answers()
        var expected: [Int] = []
        var added = 0
        for step in 0..<20_000 {
            let isAway = (step / 5_000) % 2 == 1
            if Int.random(in: 0..<10, using: &random) < 6 {
                let id = added
                added += 1
                let entry = Entry(id: id, turn: id, request: try Self.request(id, using: &random))
                let due = queue.add(entry.request, at: at(id)) { _ in answers.add(id) }
                answers.give(due.map { [$0] } ?? [])
                expected += model.add(entry)
            } else {
                let batch = queue.takeBatch()
                let entries = model.take(batchSize)
                try #require(batch.map(\.item.submitted) == entries.map { at($0.turn) })
                try #require(batch.map(\.item.request) == entries.map(\.request))
                // Now and then somebody asks while the batch is being run.
                if Bool.random(using: &random) {
                    let id = added
                    added += 1
                    let entry = Entry(id: id, turn: id, request: try Self.request(id, using: &random))
                    let due = queue.add(entry.request, at: at(id)) { _ in answers.add(id) }
                    answers.give(due.map { [$0] } ?? [])
                    expected += model.add(entry)
                }
                let reached = isAway ? 0 : Int.random(in: 0...batch.count, using: &random)
                let isDone = batch.indices.map { $0 < reached && Int.random(in: 0..<10, using: &random) > 0 }
                for index in batch.indices where isDone[index] {
                    batch[index].item.completion(.done)
                    expected.append(entries[index].id)
                }
                let undone = batch.indices.filter { !isDone[$0] }
                answers.give(queue.putBack(undone.map { batch[$0] }))
                expected += model.putBack(undone.map { entries[$0] })
                if isAway {
                    answers.give(queue.giveUp(because: StoreTrouble(.full, ""), at: at(added)))
                    expected += model.giveUp()
                }
                try #require(queue.places - queue.count <= max(WriteQueue.holeLimit, queue.count))
            }
            try #require(queue.count == model.waiting.count)
        }
        try #require(answers.all == expected)
        while queue.count > 0 {
            let batch = queue.takeBatch()
            let entries = model.take(batchSize)
            try #require(batch.map(\.item.request) == entries.map(\.request))
            for entry in batch { entry.item.completion(.done) }
            #expect(queue.putBack([]).isEmpty)
        }
        #expect(answers.all.sorted() == Array(0..<added))
    }
}
