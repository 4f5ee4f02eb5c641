import Primitives
import SIP

/// Where a call may still be tried after redirections (RFC 3261 §8.1.3.4): Contacts by their q, then in their order.
struct RedirectTargets: Sendable {
    /// Places tried for one call at most, so that two servers that redirect to each other end.
    static let limit = 16

    private var waiting: [URI] = []
    private var tried: Set<URI> = []

    var isEmpty: Bool { waiting.isEmpty || tried.count >= Self.limit }

    /// "The client SHOULD … place … in the target set … and not add any given URI to the target set more than once".
    mutating func add(_ contacts: [NameAddress]) {
        let usable = contacts.filter { contact in
            contact.uri.scheme == .sip && IPAddress(contact.uri.host) != nil
        }
        let ranked = usable.enumerated().sorted { left, right in
            let (one, other) = (left.element.quality, right.element.quality)
            return one == other ? left.offset < right.offset : one > other
        }
        var fresh: [URI] = []
        for (_, contact) in ranked {
            var uri = contact.uri
            // §19.1.1: no headers in a Request-URI.
            uri.headers = nil
            if !tried.contains(uri), !waiting.contains(uri), !fresh.contains(uri) { fresh.append(uri) }
        }
        // The newest advice first; what an earlier redirection named stays behind it.
        waiting.insert(contentsOf: fresh, at: 0)
    }

    mutating func next() -> URI? {
        guard !isEmpty else { return nil }
        let uri = waiting.removeFirst()
        tried.insert(uri)
        return uri
    }
}

extension NameAddress {
    /// RFC 3261 §20.10: from 0 to 1; 1 where there is none.
    fileprivate var quality: Double {
        parameters[parameter: "q"]?.value.flatMap { Double($0) }.map { min(max($0, 0), 1) } ?? 1
    }
}
