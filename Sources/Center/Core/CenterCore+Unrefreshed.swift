import Primitives
import SDP
import Session

/// A session that is not refreshed while its audio flows lives: a proxy between may be gone, or may not route back
/// (TAKEOVER.md, Signalling: "a session refresh that fails while RTP flows does not end the call; a maximum duration
/// always does").
extension CenterCore {
    /// The caller's audio comes, or has not been away for long: the media plane would have said so. While the caller
    /// holds, or sends nothing by agreement, nobody can tell.
    func stillSpeaks(_ call: Call) -> Bool {
        guard call.hearsAudio, !call.isSilent, call.isAnswered else { return false }
        return call.negotiation.agreement?.direction == .sendrecv
    }

    /// Nobody refreshed it in time.
    mutating func sessionExpired(_ interval: Int?, in call: inout Call) {
        guard let interval, stillSpeaks(call) else {
            return hangUp(&call, .lost, "the session expired without a refresh")
        }
        note(.sip, "no refresh in \(interval) s, but audio flows", in: &call)
        // Whoever was to refresh it did not: from now on it is ours to try.
        drive(.agreed(seconds: interval, weRefresh: true), in: &call)
    }

    /// A refresh of ours was never answered. True when the call goes on.
    mutating func outlivesSilence(_ call: inout Call) -> Bool {
        guard call.sessionTimer.interval != nil, stillSpeaks(call) else { return false }
        note(.sip, "a refresh was not answered, but audio flows", in: &call)
        schedule(.sessionRefresh, in: &call, after: Self.refreshRetry)
        return true
    }
}
