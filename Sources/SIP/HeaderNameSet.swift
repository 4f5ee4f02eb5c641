/// A set of header names that answers `contains` in a few instructions: asked for every line of every forwarded message.
public struct HeaderNameSet: Sendable, ExpressibleByArrayLiteral {
    private var bits: UInt64 = 0
    private var others: [HeaderName] = []

    public init() {}

    public init(arrayLiteral elements: HeaderName...) {
        for element in elements { insert(element) }
    }

    public mutating func insert(_ name: HeaderName) {
        if let kind = name.kind { bits |= 1 << UInt64(kind.rawValue) } else { others.append(name) }
    }

    public func contains(_ name: HeaderName) -> Bool {
        if let kind = name.kind { return contains(kind) }
        return !others.isEmpty && others.contains(name)
    }

    func contains(_ line: HeaderLine, in bytes: UnsafeRawBufferPointer) -> Bool {
        if line.kind != .other { return contains(line.kind) }
        return !others.isEmpty && others.contains(line.name(in: bytes))
    }

    private func contains(_ kind: HeaderKind) -> Bool { bits & (1 << UInt64(kind.rawValue)) != 0 }
}

extension HeaderName {
    /// Nil for a name without a case of its own.
    var kind: HeaderKind? {
        switch self {
        case .accept: .accept
        case .acceptEncoding: .acceptEncoding
        case .acceptLanguage: .acceptLanguage
        case .allow: .allow
        case .allowEvents: .allowEvents
        case .authorization: .authorization
        case .callID: .callID
        case .contact: .contact
        case .contentDisposition: .contentDisposition
        case .contentEncoding: .contentEncoding
        case .contentLanguage: .contentLanguage
        case .contentLength: .contentLength
        case .contentType: .contentType
        case .cseq: .cseq
        case .date: .date
        case .event: .event
        case .expires: .expires
        case .from: .from
        case .maxForwards: .maxForwards
        case .minExpires: .minExpires
        case .minSE: .minSE
        case .pAssertedIdentity: .pAssertedIdentity
        case .proxyAuthenticate: .proxyAuthenticate
        case .proxyAuthorization: .proxyAuthorization
        case .proxyRequire: .proxyRequire
        case .rack: .rack
        case .reason: .reason
        case .recordRoute: .recordRoute
        case .referTo: .referTo
        case .referredBy: .referredBy
        case .require: .require
        case .retryAfter: .retryAfter
        case .route: .route
        case .rseq: .rseq
        case .server: .server
        case .sessionExpires: .sessionExpires
        case .sessionID: .sessionID
        case .subject: .subject
        case .subscriptionState: .subscriptionState
        case .supported: .supported
        case .tandemHandover: .tandemHandover
        case .tandemLoad: .tandemLoad
        case .tandemNode: .tandemNode
        case .tandemPeers: .tandemPeers
        case .tandemSession: .tandemSession
        case .tandemTakeover: .tandemTakeover
        case .timestamp: .timestamp
        case .to: .to
        case .unsupported: .unsupported
        case .userAgent: .userAgent
        case .userToUser: .userToUser
        case .via: .via
        case .warning: .warning
        case .wwwAuthenticate: .wwwAuthenticate
        case .other: nil
        }
    }
}
