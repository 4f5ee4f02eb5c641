import Primitives
import Testing

struct TimerQueueTests {
    private func at(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    private func drain(_ queue: inout TimerQueue<String>, at time: MonotonicTime) -> [String] {
        var fired: [String] = []
        while let key = queue.popDue(at: time) { fired.append(key) }
        return fired
    }

    @Test func firesInOrderOfDeadlineAndTiesInOrderOfScheduling() {
        var queue = TimerQueue<String>()
        queue.schedule("late", at: at(30))
        queue.schedule("first of two", at: at(20))
        queue.schedule("second of two", at: at(20))
        queue.schedule("early", at: at(10))
        #expect(queue.nextDeadline() == at(10))
        #expect(drain(&queue, at: at(20)) == ["early", "first of two", "second of two"])
        #expect(queue.nextDeadline() == at(30))
        #expect(queue.count == 1)
    }

    @Test func nothingFiresBeforeItsTime() {
        var queue = TimerQueue<String>()
        queue.schedule("a", at: at(10))
        #expect(drain(&queue, at: MonotonicTime(nanoseconds: at(10).nanoseconds - 1)).isEmpty)
        #expect(drain(&queue, at: at(10)) == ["a"])
    }

    @Test func aCancelledTimerNeverFiresAndItsTokenIsSpent() {
        var queue = TimerQueue<String>()
        let token = queue.schedule("cancelled", at: at(10))
        queue.schedule("kept", at: at(20))
        queue.cancel(token)
        queue.cancel(token)
        #expect(queue.nextDeadline() == at(20))
        // The slot is used again: the spent token must not reach its new tenant.
        queue.schedule("new tenant", at: at(15))
        queue.cancel(token)
        #expect(drain(&queue, at: at(100)) == ["new tenant", "kept"])
        #expect(queue.nextDeadline() == nil)
    }

    @Test func agreesWithASortedListOverManyRandomOperations() {
        var random = SeededRandom(seed: 7)
        var queue = TimerQueue<Int>()
        var model: [(deadline: Int64, key: Int, token: TimerToken)] = []
        var time: Int64 = 0
        for key in 0..<20_000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let deadline = time + Int64.random(in: 0...1000, using: &random)
                model.append((deadline, key, queue.schedule(key, at: at(deadline))))
            case 5..<8:
                guard !model.isEmpty else { continue }
                let entry = model.remove(at: Int.random(in: 0..<model.count, using: &random))
                queue.cancel(entry.token)
            default:
                time += Int64.random(in: 0...50, using: &random)
                var fired: [Int] = []
                while let key = queue.popDue(at: at(time)) { fired.append(key) }
                let due = model.filter { $0.deadline <= time }.sorted {
                    ($0.deadline, $0.key) < ($1.deadline, $1.key)
                }
                model.removeAll { $0.deadline <= time }
                #expect(fired == due.map(\.key))
            }
            #expect(queue.count == model.count)
        }
    }
}
