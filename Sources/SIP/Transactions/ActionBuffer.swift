/// The actions of one transition, in order, without an allocation. No transition of a transaction has more than `limit`.
public struct ActionBuffer<Action: Sendable>: Sendable, RandomAccessCollection {
    public static var limit: Int { 8 }

    private var storage = InlineArray<8, Action?>(repeating: nil)
    public private(set) var count = 0

    public init() {}

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    public mutating func append(_ action: Action) {
        precondition(count < Self.limit, "a transition has more than \(Self.limit) actions: \(action)")
        storage[count] = action
        count += 1
    }

    public mutating func removeAll() { count = 0 }

    public subscript(index: Int) -> Action {
        guard index < count, let action = storage[index] else { preconditionFailure("no action \(index) of \(count)") }
        return action
    }
}
