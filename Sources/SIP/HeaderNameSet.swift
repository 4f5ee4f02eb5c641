/// A set of header names that answers `contains` in a few instructions: asked for every line of every forwarded message.
public struct HeaderNameSet: Sendable, ExpressibleByArrayLiteral {
    private var bits: UInt64 = 0
    private var others: [HeaderName] = []

    public init() {}

    public init(arrayLiteral elements: HeaderName...) {
        for element in elements { insert(element) }
    }

    public mutating func insert(_ name: HeaderName) {
        if let ordinal = name.ordinal { bits |= 1 << UInt64(ordinal) } else { others.append(name) }
    }

    public func contains(_ name: HeaderName) -> Bool {
        if let ordinal = name.ordinal { return bits & (1 << UInt64(ordinal)) != 0 }
        return !others.isEmpty && others.contains(name)
    }
}

extension HeaderName {
    /// Below 64, and different for each name that has a case of its own.
    fileprivate var ordinal: UInt8? {
        switch self {
        case .accept: 0
        case .acceptEncoding: 1
        case .acceptLanguage: 2
        case .allow: 3
        case .allowEvents: 4
        case .authorization: 5
        case .callID: 6
        case .contact: 7
        case .contentDisposition: 8
        case .contentEncoding: 9
        case .contentLanguage: 10
        case .contentLength: 11
        case .contentType: 12
        case .cseq: 13
        case .date: 14
        case .event: 15
        case .expires: 16
        case .from: 17
        case .maxForwards: 18
        case .minExpires: 19
        case .minSE: 20
        case .pAssertedIdentity: 21
        case .proxyAuthenticate: 22
        case .proxyAuthorization: 23
        case .proxyRequire: 24
        case .rack: 25
        case .reason: 26
        case .recordRoute: 27
        case .referTo: 28
        case .referredBy: 29
        case .require: 30
        case .retryAfter: 31
        case .route: 32
        case .rseq: 33
        case .server: 34
        case .sessionExpires: 35
        case .sessionID: 36
        case .subject: 37
        case .subscriptionState: 38
        case .supported: 39
        case .tandemLoad: 40
        case .tandemNode: 41
        case .tandemSession: 42
        case .timestamp: 43
        case .to: 44
        case .unsupported: 45
        case .userAgent: 46
        case .userToUser: 47
        case .via: 48
        case .warning: 49
        case .wwwAuthenticate: 50
        case .tandemPeers: 51
        case .tandemTakeover: 52
        case .tandemHandover: 53
        case .other: nil
        }
    }
}
