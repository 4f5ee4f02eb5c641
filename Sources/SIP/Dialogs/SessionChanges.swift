import Primitives

/// Who may change a session now: the order of re-INVITE (RFC 3261 §14) and UPDATE (RFC 3311 §5) and of the offers that
/// they carry, for one confirmed or early dialog.
public struct SessionChanges: Equatable, Codable, Sendable {
    /// INVITE transactions without a final response.
    public private(set) var localInvite = false
    public private(set) var remoteInvite = false
    /// Offers without an answer.
    public private(set) var localOffer = false
    public private(set) var remoteOffer = false

    public init() {}

    public enum Verdict: Equatable, Sendable {
        case proceed
        /// 491: both sides changed the session at once.
        case pending
        /// 500 with Retry-After of 0 to 10 seconds chosen at random.
        case tooEarly
    }

    /// A re-INVITE came.
    public mutating func receiveInvite(hasOffer: Bool) -> Verdict {
        // §14.2: "A UAS that receives a second INVITE before it sends the final response to a first INVITE with a lower
        // CSeq sequence number on the same dialog MUST return a 500 … MUST include a Retry-After".
        if remoteInvite { return .tooEarly }
        // "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST
        // return a 491 (Request Pending)".
        if localInvite || localOffer { return .pending }
        if remoteOffer { return .tooEarly }
        remoteInvite = true
        remoteOffer = hasOffer
        return .proceed
    }

    /// An UPDATE came.
    public mutating func receiveUpdate(hasOffer: Bool) -> Verdict {
        guard hasOffer else { return .proceed }
        // RFC 3311 §5.2: "If an UPDATE is received that contains an offer, and the UAS has generated an offer … to
        // which it has not yet received an answer, the UAS MUST reject the UPDATE with a 491 response."
        if localOffer { return .pending }
        // "… and the UAS has received an offer … to which it has not yet generated an answer, the UAS MUST reject the
        // UPDATE with a 500 response, and MUST include a Retry-After header field".
        if remoteOffer { return .tooEarly }
        remoteOffer = true
        return .proceed
    }

    /// Whether a re-INVITE may be sent now (§14.1: not while another INVITE transaction is in progress either way).
    public var mayInvite: Bool { !localInvite && !remoteInvite && !localOffer && !remoteOffer }
    /// Whether an UPDATE with an offer may be sent now (RFC 3311 §5.1).
    public var mayOffer: Bool { !localOffer && !remoteOffer }

    public mutating func sentInvite(hasOffer: Bool) {
        localInvite = true
        localOffer = hasOffer
    }

    public mutating func sentUpdate(hasOffer: Bool) { if hasOffer { localOffer = true } }

    /// We sent an offer in a response: to an INVITE without one.
    public mutating func sentOfferInResponse() { localOffer = true }

    /// Their offer has its answer, or was refused.
    public mutating func settledRemoteOffer() { remoteOffer = false }

    /// Our offer has its answer, or was refused.
    public mutating func settledLocalOffer() { localOffer = false }

    /// We gave the final response to their INVITE. With a 2xx that carries our offer the answer comes in the ACK.
    public mutating func answeredInvite() {
        remoteInvite = false
        remoteOffer = false
    }

    /// Our INVITE has its final response.
    public mutating func inviteAnswered() {
        localInvite = false
        localOffer = false
    }

    /// How long to wait after a 491 before the change is tried again (§14.1): "If the UAC is the owner of the Call-ID …
    /// between 2.1 and 4 seconds in units of 10 ms. If not, between 0 and 2 seconds in units of 10 ms."
    public static func retryDelay(ownsCallID: Bool, using random: inout SeededRandom) -> Duration {
        .milliseconds(10 * Int.random(in: ownsCallID ? 210...400 : 0...200, using: &random))
    }

    /// Seconds for the Retry-After of `tooEarly` (§14.2).
    public static func retryAfterSeconds(using random: inout SeededRandom) -> Int {
        Int.random(in: 0...10, using: &random)
    }
}
