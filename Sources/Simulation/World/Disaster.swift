import Primitives

/// Something that goes wrong on purpose, or is mended.
enum Disaster: Sendable {
    /// What kinds there are; each run draws from some of them, so that each is also tried without the others.
    enum Kind: CaseIterable, Sendable {
        case killCenter, killTwo, killAtTransfer, freezeCenter, killAccess, killMaster, killLeaderAndCenter,
            freezeAccess, freezeMaster
        case cutMaster, cutAccess, cutStore, isolateCenter, cutFromInside, isolateMaster
        case storeAway, promote, loseAnswers, stepClock, drain

        static func drawn(for settings: SimulationSettings, using random: inout SeededRandom) -> [Kind] {
            let possible = allCases.filter { settings.kinds?.contains("\($0)") ?? ($0.isOn(settings)) }
            let some = possible.filter { _ in Int.random(in: 0..<5, using: &random) < 3 }
            // What callers must not notice is what it is all about.
            return (some.isEmpty ? possible : some) + (settings.kinds == nil ? [.killCenter, .killCenter] : [])
        }

        /// What a center does after it stood still is not built into every core.
        private func isOn(_ settings: SimulationSettings) -> Bool {
            switch self {
            case .freezeCenter: settings.freezesCenters
            case .drain: settings.drains
            default: true
            }
        }
    }

    /// Draws the next one.
    case next
    case kill(NodeName, hostGone: Bool)
    case restart(NodeName)
    case thaw(NodeName)
    case mend(Int)
    case storeBack
    case answersBack
    case enable(Int)
    case garbage
    case faultyTick
}

/// When what went wrong, for judging what may be expected.
struct TroubleLog: Sendable {
    enum Kind: Sendable, Equatable {
        case center, access, master, store, cut
        /// An operator's.
        case order
    }

    struct Entry: Sendable {
        var at: MonotonicTime
        var kind: Kind
        /// A process is gone for good; otherwise it stands still and may go on.
        var isDeath = false
    }

    private(set) var entries: [Entry] = []

    mutating func add(_ at: MonotonicTime, _ kind: Kind, isDeath: Bool = false) {
        entries.append(Entry(at: at, kind: kind, isDeath: isDeath))
    }

    func any(of kinds: Set<Kind>? = nil, from: MonotonicTime, to: MonotonicTime) -> Bool {
        entries.contains { $0.at >= from && $0.at <= to && kinds?.contains($0.kind) ?? true }
    }

    func all(from: MonotonicTime, to: MonotonicTime) -> [Entry] { entries.filter { $0.at >= from && $0.at <= to } }
}
