import Foundation
import Primitives

/// The policies themselves. Each picks a slot out of a non-empty set, given as bits.
extension RouteChooser {
    /// One unit of weight in the fixed-point arithmetic of the round robin, so that ramping shares stay exact.
    private static let unit = 1_000.0

    private func effectiveWeight(_ index: Int, now: MonotonicTime) -> Int64 {
        let weight = Double(max(1, slots[index].entry.weight))
        return max(1, Int64(weight * share(index, now: now) * Self.unit))
    }

    /// Smooth weighted round robin: every center earns its weight, the richest is taken and pays for all. Over any
    /// stretch in which nothing changes the proportions are exact, and no center is taken twice in a row needlessly.
    mutating func pickByWeight(among tier: UInt64, now: MonotonicTime) -> Int {
        var best = tier.trailingZeroBitCount
        guard tier.nonzeroBitCount > 1 else { return best }
        var total: Int64 = 0
        var richest = Int64.min
        var rest = tier
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest - 1
            let weight = effectiveWeight(index, now: now)
            total += weight
            slots[index].credit += weight
            if slots[index].credit > richest {
                richest = slots[index].credit
                best = index
            }
        }
        slots[best].credit -= total
        return best
    }

    /// The own center, as much as its ramp-up allows; else the others by weight.
    mutating func pickHome(_ home: Int?, among tier: UInt64, now: MonotonicTime) -> Int {
        guard let home, tier & (1 << UInt64(home)) != 0 else { return pickByWeight(among: tier, now: now) }
        let others = tier & ~(1 << UInt64(home))
        guard others != 0 else { return home }
        let share = share(home, now: now)
        guard share < 1 else {
            homeCredit = 0
            return home
        }
        homeCredit += share
        guard homeCredit < 1 else {
            homeCredit -= 1
            return home
        }
        return pickByWeight(among: others, now: now)
    }

    /// The smallest part of its capacity in use, counting what this node sent since the load was told. Capacity is the
    /// center's own limit, or its weight where it knows none. Ties go to the one that got fewer calls lately, then by
    /// weight.
    mutating func pickByLoad(among tier: UInt64, now: MonotonicTime) -> Int {
        var best = tier.trailingZeroBitCount
        var lowest = Double.infinity
        // A limit and a weight do not compare: limits count only where every center of the set has one.
        var allLimited = true
        var rest = tier
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest - 1
            if slots[index].entry.limit == 0 { allLimited = false }
        }
        rest = tier
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest - 1
            let capacity = Double(allLimited ? slots[index].entry.limit : max(1, slots[index].entry.weight))
            let calls = slots[index].entry.calls + slots[index].sentSince + 1
            let load = Double(calls) / (capacity * share(index, now: now))
            if load < lowest || (load == lowest && slots[index].sentSince < slots[best].sentSince) {
                lowest = load
                best = index
            }
        }
        return best
    }

    /// Weighted rendezvous hashing: each center draws a score from the key and its name; the highest wins. A center
    /// that leaves or grows moves only its own keys.
    func pickByHash(_ key: UInt64, among tier: UInt64, now: MonotonicTime) -> Int {
        var best = tier.trailingZeroBitCount
        var highest = -Double.infinity
        var rest = tier
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest - 1
            let weight = Double(max(1, slots[index].entry.weight)) * share(index, now: now)
            let score = Rendezvous.score(key: key, node: slots[index].nameHash, weight: weight)
            if score > highest {
                highest = score
                best = index
            }
        }
        return best
    }
}

/// Rendezvous (highest random weight) hashing. The same on every node and at every start, so it does not use Swift's
/// own seeded hashes.
public enum Rendezvous {
    /// FNV-1a over the UTF-8 bytes, then mixed, because short numbers that differ in the last digit must spread.
    public static func hash(_ text: some StringProtocol) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return mix(hash)
    }

    /// Of all nodes the one with the highest score owns the key. `weight` > 0.
    public static func score(key: UInt64, node: UInt64, weight: Double) -> Double {
        let mixed = mix(key ^ (node &* 0x9E37_79B9_7F4A_7C15))
        // Into (0, 1): 53 bits are what a Double holds.
        let unit = (Double(mixed >> 11) + 0.5) / 9_007_199_254_740_992
        return -weight / log(unit)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
