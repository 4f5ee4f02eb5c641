import Primitives

/// Every number that decides when a node counts as dead or alive. The defaults find a killed center within 300 ms
/// (its host refuses the ping) and a frozen or cut-off one within 900 ms.
public struct DetectionTimings: Hashable, Sendable {
    /// Between pings of a node whose state is not in doubt.
    public var interval: Duration = .milliseconds(250)
    /// After which a ping counts as unanswered.
    public var timeout: Duration = .milliseconds(250)
    /// Between pings while the state is in doubt: after a miss, and while a node that was down collects answers.
    public var doubtInterval: Duration = .milliseconds(100)
    /// Unanswered pings in a row that make a node look dead.
    public var missesForDown = 3
    /// How long nothing at all may have been heard before missed pings make a node look dead.
    public var silenceForDown: Duration = .milliseconds(500)
    /// ICMP refusals in a row that make a node look dead.
    public var refusalsForDown = 2
    /// How far apart two refusals must be to count as two.
    public var refusalSpacing: Duration = .milliseconds(20)
    /// Answers in a row that bring a node back.
    public var answersForUp = 3
    /// How long a node that was fenced wrongly must answer before it is used again; doubles each time it happens.
    public var holdDown: Duration = .seconds(1)
    /// Where the doubling ends.
    public var maximumHoldDown: Duration = .seconds(60)
    /// A node that stayed up this long starts again with the plain hold-down.
    public var holdDownForgiven: Duration = .seconds(600)
    /// An observer whose own loop ran this late declares its outstanding pings void.
    public var starvation: Duration = .milliseconds(100)
    /// When more than half of three or more nodes look dead within this time, a second witness must agree.
    public var witnessWindow: Duration = .seconds(1)
    /// How long a returning center takes to grow to its full share of new calls.
    public var rampUp: Duration = .seconds(10)
    /// A node first heard within this time of the observer's start does not ramp: nobody had its share before.
    public var coldStart: Duration = .seconds(10)

    public init() {}
}
