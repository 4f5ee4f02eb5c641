/// The name of a header field; names compare without case and compact forms are the same name (RFC 3261 §7.3).
/// Make one from received or configured text with `init(_:)`, so that one header never has two values of this type.
public enum HeaderName: Hashable, Sendable {
    case accept, allow, callID, contact, contentEncoding, contentLength, contentType, cseq, event, expires, from
    case maxForwards, minSE, pAssertedIdentity, rack, reason, recordRoute, require, retryAfter, route, rseq
    case server, sessionExpires, sessionID, supported, to, unsupported, userAgent, userToUser, via, warning
    case proxyRequire
    case acceptEncoding, acceptLanguage, allowEvents, authorization, contentDisposition, contentLanguage, date
    case minExpires, proxyAuthenticate, proxyAuthorization, referTo, referredBy, subject, subscriptionState, timestamp
    case wwwAuthenticate
    /// Tandem's own headers, only between nodes: `Tandem-Session`, `Tandem-Load`, `Tandem-Node`, `Tandem-Peers`,
    /// `Tandem-Takeover`, `Tandem-Handover`.
    case tandemSession, tandemLoad, tandemNode, tandemPeers, tandemTakeover, tandemHandover
    /// Lower-case, and none of the names above.
    case other(String)

    /// Every name that has a case of its own.
    static let known: [HeaderName] = [
        .accept, .acceptEncoding, .acceptLanguage, .allow, .allowEvents, .authorization, .callID, .contact,
        .contentDisposition, .contentEncoding, .contentLanguage, .contentLength, .contentType, .cseq, .date, .event,
        .expires, .from, .maxForwards, .minExpires, .minSE, .pAssertedIdentity, .proxyAuthenticate,
        .proxyAuthorization, .proxyRequire, .rack, .reason, .recordRoute, .referTo, .referredBy, .require,
        .retryAfter, .route, .rseq, .server, .sessionExpires, .sessionID, .subject, .subscriptionState, .supported,
        .tandemHandover, .tandemLoad, .tandemNode, .tandemPeers, .tandemSession, .tandemTakeover, .timestamp, .to,
        .unsupported, .userAgent, .userToUser, .via, .warning, .wwwAuthenticate,
    ]

    /// RFC 3261 §7.3.3 and the registry of compact forms.
    static let compactForms: [(HeaderName, StaticString)] = [
        (.supported, "k"), (.allowEvents, "u"), (.callID, "i"), (.contact, "m"), (.contentEncoding, "e"),
        (.contentLength, "l"), (.contentType, "c"), (.event, "o"), (.from, "f"), (.referTo, "r"), (.referredBy, "b"),
        (.sessionExpires, "x"), (.subject, "s"), (.to, "t"), (.via, "v"),
    ]

    /// The name as it is written on the wire; names without a case of their own are capitalised by word.
    var spelling: Spelling {
        switch self {
        case .accept: .known("Accept")
        case .acceptEncoding: .known("Accept-Encoding")
        case .acceptLanguage: .known("Accept-Language")
        case .allow: .known("Allow")
        case .allowEvents: .known("Allow-Events")
        case .authorization: .known("Authorization")
        case .callID: .known("Call-ID")
        case .contact: .known("Contact")
        case .contentDisposition: .known("Content-Disposition")
        case .contentEncoding: .known("Content-Encoding")
        case .contentLanguage: .known("Content-Language")
        case .contentLength: .known("Content-Length")
        case .contentType: .known("Content-Type")
        case .cseq: .known("CSeq")
        case .date: .known("Date")
        case .event: .known("Event")
        case .expires: .known("Expires")
        case .from: .known("From")
        case .maxForwards: .known("Max-Forwards")
        case .minExpires: .known("Min-Expires")
        case .minSE: .known("Min-SE")
        case .pAssertedIdentity: .known("P-Asserted-Identity")
        case .proxyAuthenticate: .known("Proxy-Authenticate")
        case .proxyAuthorization: .known("Proxy-Authorization")
        case .proxyRequire: .known("Proxy-Require")
        case .rack: .known("RAck")
        case .reason: .known("Reason")
        case .recordRoute: .known("Record-Route")
        case .referTo: .known("Refer-To")
        case .referredBy: .known("Referred-By")
        case .require: .known("Require")
        case .retryAfter: .known("Retry-After")
        case .route: .known("Route")
        case .rseq: .known("RSeq")
        case .server: .known("Server")
        case .sessionExpires: .known("Session-Expires")
        case .sessionID: .known("Session-ID")
        case .subject: .known("Subject")
        case .subscriptionState: .known("Subscription-State")
        case .supported: .known("Supported")
        case .tandemHandover: .known("Tandem-Handover")
        case .tandemLoad: .known("Tandem-Load")
        case .tandemNode: .known("Tandem-Node")
        case .tandemPeers: .known("Tandem-Peers")
        case .tandemSession: .known("Tandem-Session")
        case .tandemTakeover: .known("Tandem-Takeover")
        case .timestamp: .known("Timestamp")
        case .to: .known("To")
        case .unsupported: .known("Unsupported")
        case .userAgent: .known("User-Agent")
        case .userToUser: .known("User-to-User")
        case .via: .known("Via")
        case .warning: .known("Warning")
        case .wwwAuthenticate: .known("WWW-Authenticate")
        case .other(let name): .other(name)
        }
    }

    enum Spelling {
        case known(StaticString)
        case other(String)
    }
}
