import Primitives
import Routing

/// One `NodeHealth` on a clock of its own, with a node that answers as the test says.
struct HealthBench {
    var health: NodeHealth
    var now = MonotonicTime.zero
    var actions: [NodeHealth.Action] = []
    /// Called for each ping: what becomes of it, at once.
    enum Behaviour { case answers, silent, refuses }
    var behaviour = Behaviour.answers
    var incarnation: String? = "k1"
    var load: NodeLoad?
    var condemns = true
    var pings: [MonotonicTime] = []

    init(_ timings: DetectionTimings = DetectionTimings(), rampUp: Duration = .seconds(10)) {
        health = NodeHealth(timings: timings, rampUp: rampUp, now: .zero)
    }

    /// Runs the machine on time until `end`, and hands back what it said, pings left out.
    @discardableResult
    mutating func run(until end: Duration) -> [NodeHealth.Action] {
        var said: [NodeHealth.Action] = []
        let end = MonotonicTime.zero + end
        while health.nextDeadline <= end {
            now = max(now, health.nextDeadline)
            var actions: [NodeHealth.Action] = []
            health.fire(now: now, into: &actions)
            said += react(to: actions)
        }
        now = end
        return said
    }

    mutating func react(to actions: [NodeHealth.Action]) -> [NodeHealth.Action] {
        var said: [NodeHealth.Action] = []
        for action in actions {
            var next: [NodeHealth.Action] = []
            switch action {
            case .sendPing(let token):
                pings.append(now)
                switch behaviour {
                case .answers:
                    health.answered(
                        .init(token: token, incarnation: incarnation, load: load), now: now, into: &next)
                case .refuses: health.refused(now: now, into: &next)
                case .silent: continue
                }
            case .looksDead(_, let reason):
                said.append(action)
                if condemns { health.condemn(reason: reason, now: now, into: &next) }
            default: said.append(action)
            }
            said += react(to: next)
        }
        return said
    }

    /// Hands one event to the machine at the present time.
    @discardableResult
    mutating func tell(_ body: (inout NodeHealth, MonotonicTime, inout [NodeHealth.Action]) -> Void) -> [NodeHealth
        .Action]
    {
        var actions: [NodeHealth.Action] = []
        body(&health, now, &actions)
        return react(to: actions)
    }
}

extension MonotonicTime {
    static func ms(_ value: Int64) -> MonotonicTime { .zero + .milliseconds(value) }
}
