import SDP

/// A clip of one library, as a small number.
public struct ClipID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// What a clip is called: `("en", "welcome")`. Clips without words, such as music, are in the language `""`.
public struct ClipName: Hashable, Sendable {
    public var language: String
    public var name: String

    public init(language: String = "", _ name: String) {
        self.language = language
        self.name = name
    }
}

/// Every clip of a node, encoded once to A-law and µ-law, each coding in one piece of memory. The pieces never move or
/// change; they are freed with the library, so who makes streams over it keeps it until they have another or are gone.
public final class ClipLibrary: Sendable {
    /// Ten minutes; a longer clip is cut there.
    public static let clipLimitSamples = 600 * 8000

    /// The view that streams read through.
    public let audio: PromptAudio
    private let ids: [ClipName: ClipID]

    /// Where the sound of one number comes from.
    private enum Source {
        case samples([Int16])
        /// As the former library has it.
        case former(ClipID)
    }

    /// - Parameters:
    ///   - clips: 8 kHz samples; of two of one name the last wins. Their numbers follow their order.
    ///   - former: the library in use until now. Its clips keep their numbers, and those that `clips` lacks keep their
    ///     sound: calls in progress may still ask for them.
    public init(_ clips: [(name: ClipName, samples: [Int16])], succeeding former: ClipLibrary? = nil) {
        var ids = former?.ids ?? [:]
        var sources = (0..<(former?.audio.count ?? 0)).map { Source.former(ClipID(rawValue: UInt32($0))) }
        for clip in clips {
            if former != nil, let known = ids[clip.name] {
                sources[Int(known.rawValue)] = .samples(clip.samples)
            } else {
                ids[clip.name] = ClipID(rawValue: UInt32(sources.count))
                sources.append(.samples(clip.samples))
            }
        }
        self.ids = ids
        var spans: [PromptAudio.Span] = []
        var total = 0
        for source in sources {
            let count =
                switch source {
                case .samples(let samples): min(samples.count, Self.clipLimitSamples)
                case .former(let id): former?.audio.span(id).count ?? 0
                }
            spans.append(PromptAudio.Span(offset: total, count: count))
            total += count
        }
        let alaw = UnsafeMutablePointer<UInt8>.allocate(capacity: max(total, 1))
        let mulaw = UnsafeMutablePointer<UInt8>.allocate(capacity: max(total, 1))
        let table = UnsafeMutablePointer<PromptAudio.Span>.allocate(capacity: max(spans.count, 1))
        table.initialize(from: spans, count: spans.count)
        for (source, span) in zip(sources, spans) {
            switch source {
            case .samples(let samples):
                for index in 0..<span.count {
                    (alaw + span.offset + index).initialize(to: G711.alaw(samples[index]))
                    (mulaw + span.offset + index).initialize(to: G711.mulaw(samples[index]))
                }
            case .former(let id):
                guard let audio = former?.audio else { continue }
                let from = audio.span(id).offset
                (alaw + span.offset).initialize(from: audio.base(.pcma) + from, count: span.count)
                (mulaw + span.offset).initialize(from: audio.base(.pcmu) + from, count: span.count)
            }
        }
        audio = PromptAudio(alaw: alaw, mulaw: mulaw, spans: table, count: spans.count)
    }

    deinit { audio.deallocate() }

    /// The number of a clip, nil where there is none of that name.
    public func id(_ name: ClipName) -> ClipID? { ids[name] }

    public var names: some Collection<ClipName> { ids.keys }
}

/// The bytes of a library's clips without a reference to it: reading them costs no reference counting. Valid for as
/// long as the library lives.
///
/// `@unchecked Sendable`: the memory is written before the first view exists and never again.
public struct PromptAudio: @unchecked Sendable {
    struct Span: Sendable {
        var offset: Int
        var count: Int
    }

    private let alaw: UnsafePointer<UInt8>
    private let mulaw: UnsafePointer<UInt8>
    private let spans: UnsafePointer<Span>
    /// How many clips there are.
    public let count: Int

    fileprivate init(
        alaw: UnsafePointer<UInt8>, mulaw: UnsafePointer<UInt8>, spans: UnsafePointer<Span>, count: Int
    ) {
        self.alaw = alaw
        self.mulaw = mulaw
        self.spans = spans
        self.count = count
    }

    /// Where a clip lies in either coding; an unknown number is an empty clip.
    func span(_ id: ClipID) -> Span {
        id.rawValue < UInt32(clamping: count) ? spans[Int(id.rawValue)] : Span(offset: 0, count: 0)
    }

    @inline(__always) func base(_ codec: Codec) -> UnsafePointer<UInt8> { codec == .pcma ? alaw : mulaw }

    /// How long a clip plays, in milliseconds, rounded up.
    public func milliseconds(_ id: ClipID) -> Int { (span(id).count + 7) / 8 }

    /// A clip's bytes in one coding.
    public func bytes(_ id: ClipID, as codec: Codec) -> UnsafeBufferPointer<UInt8> {
        let span = span(id)
        return UnsafeBufferPointer(start: base(codec) + span.offset, count: span.count)
    }

    fileprivate func deallocate() {
        alaw.deallocate()
        mulaw.deallocate()
        spans.deallocate()
    }
}
