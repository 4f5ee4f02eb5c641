/// The checks that any user agent server makes before it looks at what a request means (RFC 3261 §8.2).
public struct UserAgentCore: Sendable {
    public enum Decision: Equatable, Sendable {
        case proceed
        case reject(Rejection)
    }

    /// Methods that are served; others are answered with 405, unknown ones with 501.
    public var allow: [Method]
    /// Option tags that may be required.
    public var supported: [String]
    /// Media types of bodies, lower-case, such as `application/sdp`.
    public var accept: [String]
    public var schemes: [URI.Scheme]

    public init(
        allow: [Method], supported: [String] = [], accept: [String] = ["application/sdp"],
        schemes: [URI.Scheme] = [.sip, .tel]
    ) {
        self.allow = allow
        self.supported = supported
        self.accept = accept
        self.schemes = schemes
    }

    public var allowValue: String { allow.map(\.description).joined(separator: ", ") }
    public var supportedValue: String { supported.joined(separator: ", ") }
    public var acceptValue: String { accept.joined(separator: ", ") }

    /// Allow, Accept and Supported, as a 2xx to OPTIONS or INVITE carries them (§11.2, §13.3.1.4).
    public var capabilities: [(HeaderName, String)] {
        var headers: [(HeaderName, String)] = [(.allow, allowValue), (.accept, acceptValue)]
        if !supported.isEmpty { headers.append((.supported, supportedValue)) }
        return headers
    }

    /// Checks in the order of §8.2. ACK is never rejected (§8.2.3, §17): call this for all others.
    public func check(_ request: Message) -> Decision {
        if let rejection = checkMethod(request.method) ?? checkScheme(request) ?? checkRequire(request)
            ?? checkContent(request)
        {
            return .reject(rejection)
        }
        return .proceed
    }

    /// §8.2.1: "If the UAS recognizes but does not support the method … it MUST generate a 405"; §21.5.2: "501 … when a
    /// UAS does not recognize the request method".
    private func checkMethod(_ method: Method) -> Rejection? {
        guard !allow.contains(method), method != .ack, method != .cancel else { return nil }
        if case .other = method { return Rejection(501, headers: [(.allow, allowValue)]) }
        return Rejection(405, headers: [(.allow, allowValue)])
    }

    /// §8.2.2.1: "If the Request-URI uses a scheme not supported by the UAS, it SHOULD reject the request with a 416".
    private func checkScheme(_ request: Message) -> Rejection? {
        guard let uri = request.requestURI, !schemes.contains(uri.scheme) else { return nil }
        return Rejection(416)
    }

    /// §8.2.2.3: "it MUST respond by generating a response with status code 420 … add an Unsupported header field, and
    /// list in it those options it does not understand". "Require … MUST NOT be used in a SIP CANCEL request".
    private func checkRequire(_ request: Message) -> Rejection? {
        guard request.method != .cancel, request.method != .ack else { return nil }
        let missing = request.tokens(of: .require).filter { tag in
            !supported.contains { $0.equalsIgnoringCase(tag) }
        }
        return missing.isEmpty ? nil : Rejection(420, headers: [(.unsupported, missing.joined(separator: ", "))])
    }

    /// §8.2.3: a body whose type or encoding is not understood, and that is not optional, is answered with 415 and
    /// Accept, or Accept-Encoding.
    private func checkContent(_ request: Message) -> Rejection? {
        guard !request.body.isEmpty else { return nil }
        if let disposition = request.first(.contentDisposition),
            disposition.split(separator: ";").dropFirst().contains(where: {
                $0.trimmingWhiteSpace().equalsIgnoringCase("handling=optional")
            })
        {
            return nil
        }
        if request.tokens(of: .contentEncoding).contains(where: { !$0.equalsIgnoringCase("identity") }) {
            return Rejection(415, headers: [(.acceptEncoding, "identity")])
        }
        let type = request.first(.contentType)?.prefix { $0 != ";" }.trimmingWhiteSpace().lowercased() ?? ""
        return accept.contains(type) ? nil : Rejection(415, headers: [(.accept, acceptValue)])
    }
}
