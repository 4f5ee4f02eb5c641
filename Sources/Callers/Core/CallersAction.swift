import Media
import Primitives
import SDP
import SIP

/// What the callers' core wants done, in order. Callers are named by their number, from 1.
public enum CallersAction: Sendable {
    case send([UInt8], Flow)
    /// Bind a port; answered by `.mediaOpened` or `.mediaRefused`.
    case openMedia(Int)
    case media(Int, MediaOrder)
    /// Every call is over; said once.
    case finished
}

/// What a caller's audio shall do.
public enum MediaOrder: Hashable, Sendable {
    /// Send and listen under this agreement, the first or a new one, which holds from `at`.
    case talk(MediaAgreement, at: MonotonicTime)
    /// Answered by `.pressed` when the last key is up.
    case press([Digit])
    /// Answered by `.paused`.
    case awaitPause
    /// The call ended at that time. Answered by `.heard` where there was a `talk`.
    case close(at: MonotonicTime)
}

public enum CallersEvent: Sendable {
    case mediaOpened(Int, Endpoint)
    case mediaRefused(Int, String)
    case pressed(Int)
    case paused(Int)
    /// What the caller heard in its whole call, and how many packets its own socket had no room for.
    case heard(Int, ReceptionMeter, overrun: Int)
    /// Nothing can be sent there: ICMP, or a broken connection.
    case unreachable(Flow)
    /// End all calls politely and place no more.
    case endAll
}
