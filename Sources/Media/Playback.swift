import SDP

/// A piece of what a stream plays.
public enum PlaylistItem: Hashable, Sendable {
    case clip(ClipID)
    /// Silence of so many milliseconds, at most a minute.
    case gap(milliseconds: Int)
}

/// Names one playing, chosen by who asked for it.
public struct PlaybackID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// A playlist on its way: joins its pieces to the sample and cuts them into frames of any length.
struct Playback: Sendable {
    static let itemLimit = 1024

    let id: PlaybackID
    let stopsOnDigit: Bool
    private let items: [PlaylistItem]
    private var loops: Bool
    private var next = 0
    /// The piece that plays now: where it goes on in the library (-1 for silence), and how much is left.
    private var offset = -1
    private var left = 0

    init(_ items: [PlaylistItem], id: PlaybackID, stopsOnDigit: Bool, loops: Bool, audio: PromptAudio) {
        self.items = items
        self.id = id
        self.stopsOnDigit = stopsOnDigit
        // A loop of nothing would never end nor fill a frame.
        self.loops = loops && items.contains { Playback.span($0, audio).count > 0 }
    }

    /// Goes on at the same place of the same clip in another library, where that clip may be longer, shorter or gone.
    mutating func move(from old: PromptAudio, to new: PromptAudio) {
        loops = loops && items.contains { Playback.span($0, new).count > 0 }
        guard left > 0, offset >= 0, next > 0 else { return }
        let played = offset - Playback.span(items[next - 1], old).offset
        let span = Playback.span(items[next - 1], new)
        offset = span.offset + min(played, span.count)
        left = span.count - min(played, span.count)
    }

    private static func span(_ item: PlaylistItem, _ audio: PromptAudio) -> PromptAudio.Span {
        switch item {
        case .clip(let id): audio.span(id)
        case .gap(let milliseconds): PromptAudio.Span(offset: -1, count: min(max(milliseconds, 0), 60_000) * 8)
        }
    }

    /// Fills a frame, with silence after the end; false when nothing is left for the frame after it.
    mutating func fill(
        _ frame: UnsafeMutablePointer<UInt8>, count: Int, codec: Codec, audio: PromptAudio
    ) -> Bool {
        var filled = 0
        while filled < count {
            if left == 0, !advance(audio) {
                (frame + filled).update(repeating: G711.silence(codec), count: count - filled)
                return false
            }
            let part = min(left, count - filled)
            if offset >= 0 {
                (frame + filled).update(from: audio.base(codec) + offset, count: part)
                offset += part
            } else {
                (frame + filled).update(repeating: G711.silence(codec), count: part)
            }
            left -= part
            filled += part
        }
        // Known now rather than a frame of silence later.
        return left > 0 || advance(audio)
    }

    /// Steps to the next piece that has any length.
    private mutating func advance(_ audio: PromptAudio) -> Bool {
        while true {
            if next == items.count {
                guard loops else { return false }
                next = 0
            }
            let span = Playback.span(items[next], audio)
            next += 1
            if span.count > 0 {
                offset = span.offset
                left = span.count
                return true
            }
        }
    }
}
