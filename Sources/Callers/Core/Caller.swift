import Primitives
import SDP
import SIP

/// One phone and its one call.
struct Caller: Sendable {
    enum Phase: Equatable, Sendable {
        /// Waits for its port.
        case opening
        /// An INVITE is out.
        case inviting
        /// Given up: CANCEL is out, or will be.
        case cancelling
        case talking
        /// Our BYE waits for its answer.
        case ending
        case over
    }

    enum Timer: Hashable, Sendable {
        case hold, patience, contactPatience, farewell, plan
        case acceptance, acceptanceLimit
    }

    /// A 2xx of ours to a re-INVITE, until its ACK.
    struct Acceptance: Sendable {
        var machine = AcceptedInvite()
        let response: [UInt8]
        let flow: Flow
        let cseq: UInt32
        /// The ACK carries the answer to our offer.
        let awaitsAnswer: Bool
    }

    /// From 1.
    let number: Int
    let callID: String
    let localTag: String
    let placedAt: MonotonicTime
    var phase = Phase.opening
    var localRTP: Endpoint?
    /// Where the other side's audio lives.
    var remoteRTP: Endpoint?
    var negotiation: OfferAnswer
    var plan: PlanRun
    var timers: [Timer: TimerToken] = [:]

    // Until the answer.
    var targets = RedirectTargets()
    var requestURI: URI
    var cseq: UInt32 = 0
    var offer: [UInt8] = []
    var invite: ClientTransactionID?
    var hasProvisional = false

    // From the answer on.
    var dialog: Dialog?
    var flow: Flow
    /// Sent again for each copy of the 200.
    var ack: (bytes: [UInt8], flow: Flow)?
    var acceptance: Acceptance?
    var changes = SessionChanges()
    /// A report of the media is still to come.
    var isHeardOf = true

    var record: CallerRecord
}
