/// Why bytes are no session description that we read. Lines count from 1.
public enum SDPError: Error, Hashable, Sendable {
    case empty
    /// More than `SDPLimits.bytes`.
    case tooLong
    /// More lines, media, formats or attributes than `SDPLimits` allows.
    case tooMany(SDPLimits.Kind, line: Int)
    /// Not `x=…`, or a value that the line's type does not allow.
    case malformed(line: Int)
    /// A version other than 0, or no `v=` at the start (RFC 8866 §5.1).
    case version
    /// No `o=` line (RFC 8866 §5.2).
    case noOrigin
}

/// What a description may hold at most; a telephone's has a tenth of it.
public enum SDPLimits {
    public enum Kind: Hashable, Sendable { case lines, media, formats, attributes, timings }
    public static let bytes = 16_384
    public static let lines = 512
    public static let media = 16
    public static let formats = 64
    public static let attributes = 128
    public static let timings = 8
}
