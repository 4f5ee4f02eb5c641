/// The name of a header field; names compare without case and compact forms are the same name (RFC 3261 §7.3).
public enum HeaderName: Hashable, Sendable {
    case accept, allow, callID, contact, contentEncoding, contentLength, contentType, cseq, event, expires, from
    case maxForwards, minSE, pAssertedIdentity, rack, reason, recordRoute, require, retryAfter, route, rseq
    case server, sessionExpires, sessionID, supported, to, unsupported, userAgent, userToUser, via, warning
    case proxyRequire
    /// Tandem's own headers, only between nodes: `Tandem-Session`, `Tandem-Load`, `Tandem-Node`.
    case tandemSession, tandemLoad, tandemNode
    /// Lower-case.
    case other(String)
}
