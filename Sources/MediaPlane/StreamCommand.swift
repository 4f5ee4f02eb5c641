import Media
import Primitives
import SDP

/// Names a stream of a media loop for the loop's life.
public struct StreamID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// What a call wants of its stream; see `MediaStream` for what each does.
public enum StreamCommand: Hashable, Sendable {
    /// The first one starts the stream.
    case apply(MediaAgreement, signalledFrom: IPAddress? = nil, former: Endpoint? = nil)
    case play([PlaylistItem], id: PlaybackID, stopsOnDigit: Bool = true, loops: Bool = false)
    case echo
    /// Silence instead of what plays, music and echo.
    case stop
    case press([Digit], pressMs: Int = 100, pauseMs: Int = 100)
    /// A last report with goodbye, then the sockets close.
    case close
}
