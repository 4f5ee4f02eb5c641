import Primitives
import SIP

/// Who is called, how often, and for how long.
public struct CallersSettings: Sendable {
    /// Where INVITEs go.
    public var target: Endpoint
    /// The number that is dialed.
    public var line: String
    /// UDP or TCP.
    public var transport: Transport
    /// Our SIP address: Via and Contact.
    public var local: Endpoint
    /// Calls in all.
    public var calls: Int
    /// New calls a second.
    public var rate: Double
    /// From the answer to our BYE.
    public var hold: Duration
    public var plan: DigitPlan
    /// A call that rings longer is given up (CANCEL).
    public var patience: Duration = .seconds(10)
    /// After a redirection the next Contact is tried when this one says nothing for so long.
    public var contactPatience: Duration = .seconds(2)
    /// How long an answer to our last request is waited for before the call counts as over.
    public var farewell: Duration = .seconds(4)
    /// A caller who hears nothing for longer is silent.
    public var silence: Duration = .seconds(1)
    public var timers = TransactionTimers.standard

    public init(
        target: Endpoint, line: String, transport: Transport = .udp, local: Endpoint, calls: Int, rate: Double,
        hold: Duration, plan: DigitPlan = .none
    ) {
        precondition(calls > 0 && rate > 0, "\(calls) calls at \(rate) a second")
        self.target = target
        self.line = line
        self.transport = transport
        self.local = local
        self.calls = calls
        self.rate = rate
        self.hold = hold
        self.plan = plan
    }

    /// When the caller of that number (from 1) dials, after the start.
    func placing(of caller: Int) -> Duration {
        .nanoseconds(Int64((Double(caller - 1) / rate * 1e9).rounded()))
    }
}
