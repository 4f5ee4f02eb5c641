/// Names a center inside one `RouteChooser`, at no cost; valid as long as the chooser, whatever tables come.
public struct CenterIndex: Hashable, Sendable {
    let slot: UInt8
    init(_ slot: Int) { self.slot = UInt8(truncatingIfNeeded: slot) }
}

/// A set of centers of one `RouteChooser`, such as those that were tried for a call. One machine word.
public struct CenterSet: Hashable, Sendable {
    var bits: UInt64

    public static let none = CenterSet(bits: 0)

    init(bits: UInt64) { self.bits = bits }
    public init() { bits = 0 }

    public var isEmpty: Bool { bits == 0 }
    public var count: Int { bits.nonzeroBitCount }
    public func contains(_ center: CenterIndex) -> Bool { bits & center.bit != 0 }
    public mutating func insert(_ center: CenterIndex) { bits |= center.bit }
    public mutating func remove(_ center: CenterIndex) { bits &= ~center.bit }
    public func inserting(_ center: CenterIndex) -> CenterSet { CenterSet(bits: bits | center.bit) }
}

extension CenterIndex {
    var bit: UInt64 { 1 << UInt64(slot) }
}

extension CenterSet: Sequence {
    public struct Iterator: IteratorProtocol {
        var rest: UInt64
        public mutating func next() -> CenterIndex? {
            guard rest != 0 else { return nil }
            let slot = rest.trailingZeroBitCount
            rest &= rest - 1
            return CenterIndex(slot)
        }
    }
    public func makeIterator() -> Iterator { Iterator(rest: bits) }
}
