import SIP
import Testing

/// What becomes of each message of the corpus, in the spirit of RFC 4475 and RFC 5118.
enum Corpus {
    enum Verdict: Equatable {
        case accept
        case reject(Int)
        case drop
    }

    struct Case: CustomTestStringConvertible {
        let name: String
        let verdict: Verdict
        let reason: String
        var transport: Transport = .udp
        var testDescription: String { "\(name): \(reason)" }
    }

    static let cases: [Case] = [
        Case(name: "plain-invite", verdict: .accept, reason: "the ordinary case"),
        Case(name: "plain-response", verdict: .accept, reason: "the ordinary answer"),
        Case(
            name: "tortuous-white-space", verdict: .accept,
            reason: "odd but legal white space, folds, case and lists (RFC 3261 7.3.1)"),
        Case(name: "every-compact-form", verdict: .accept, reason: "compact names are the same names (7.3.3)"),
        Case(
            name: "several-vias-on-one-line", verdict: .accept,
            reason: "a list on one line is the same as lines (7.3.1)"),
        Case(
            name: "several-routes-on-one-line", verdict: .accept, reason: "with a comma inside a display name and a URI"
        ),
        Case(name: "escaped-user", verdict: .accept, reason: "percent escapes in a user part"),
        Case(name: "escaped-nul-in-user", verdict: .accept, reason: "%00 is a character like any other (19.1.2)"),
        Case(name: "quoted-control-characters", verdict: .accept, reason: "BEL, NUL and DEL in quoted pairs (25.1)"),
        Case(name: "utf8-display-name", verdict: .accept, reason: "UTF-8 outside quotes is not allowed, inside it is"),
        Case(name: "utf8-reason", verdict: .accept, reason: "a reason phrase is UTF-8"),
        Case(name: "empty-reason", verdict: .accept, reason: "a reason phrase may be empty"),
        Case(name: "no-space-before-reason", verdict: .accept, reason: "taken though the space is required: harmless"),
        Case(name: "unknown-method", verdict: .accept, reason: "any token is a method; a server answers 405 or 501"),
        Case(name: "tel-request-uri", verdict: .accept, reason: "RFC 3966"),
        Case(name: "sips-request-uri", verdict: .accept, reason: "a secure URI"),
        Case(
            name: "other-scheme-in-from", verdict: .accept, reason: "only the Request-URI must be of a scheme we know"),
        Case(name: "no-branch", verdict: .accept, reason: "RFC 2543 clients send none; flagged"),
        Case(name: "branch-without-cookie", verdict: .accept, reason: "RFC 2543 branch; flagged"),
        Case(name: "branch-only-cookie", verdict: .accept, reason: "names nothing; flagged like none"),
        Case(name: "no-max-forwards", verdict: .accept, reason: "old senders leave it out (RFC 2543)"),
        Case(name: "max-forwards-zero", verdict: .accept, reason: "a proxy answers 483, a target does not mind"),
        Case(
            name: "no-content-length-datagram", verdict: .accept, reason: "the body is the rest of the datagram (18.3)"),
        Case(name: "extra-bytes-datagram", verdict: .accept, reason: "bytes beyond Content-Length are ignored (18.3)"),
        Case(name: "leading-empty-lines", verdict: .accept, reason: "CRLFs before the start line are ignored (7.5)"),
        Case(
            name: "ipv6-everywhere", verdict: .accept,
            reason: "RFC 5118: references in URIs and Via, received with brackets"),
        Case(name: "ipv6-received-bare", verdict: .accept, reason: "RFC 5118 4.5: received without brackets"),
        Case(name: "ipv6-mapped-ipv4", verdict: .accept, reason: "RFC 5118 4.10"),
        Case(
            name: "ipv6-ambiguous-port", verdict: .accept,
            reason: "RFC 5118 4.4: inside the brackets it is address, not port"),
        Case(name: "contact-star", verdict: .accept, reason: "unregister all (10.2.2)"),
        Case(
            name: "addr-spec-parameters", verdict: .accept,
            reason: "without brackets parameters are the header's (20.10)"),
        Case(name: "quoted-parameter", verdict: .accept, reason: "semicolon, comma and bracket inside a quoted value"),
        Case(name: "many-unknown-headers", verdict: .accept, reason: "unknown headers are kept and skipped"),
        Case(name: "sixty-four-vias", verdict: .accept, reason: "the limit itself"),
        Case(name: "binary-body", verdict: .accept, reason: "a body may hold any bytes"),
        Case(
            name: "stream-exact", verdict: .accept, reason: "a stream's message is as long as it says", transport: .tcp),
        Case(name: "lower-case-version", verdict: .accept, reason: "the version compares without case (7.1)"),
        Case(name: "unknown-transport", verdict: .accept, reason: "other transports are tokens"),
        Case(name: "rport-requested", verdict: .accept, reason: "RFC 3581"),
        Case(name: "uri-password", verdict: .accept, reason: "deprecated, kept"),
        Case(name: "cseq-maximum", verdict: .accept, reason: "2^31 - 1 is the largest"),
        Case(name: "highest-status", verdict: .accept, reason: "699"),
        Case(name: "version-seven", verdict: .reject(505), reason: "another version (21.5.6)"),
        Case(name: "unknown-scheme", verdict: .reject(416), reason: "a Request-URI of a scheme we do not know"),
        Case(name: "http-scheme", verdict: .reject(416), reason: "known, but not for calls"),
        Case(name: "bracketed-request-uri", verdict: .reject(400), reason: "no brackets around a Request-URI"),
        Case(name: "spaces-in-request-uri", verdict: .reject(400), reason: "white space inside the URI"),
        Case(name: "two-spaces-in-request-line", verdict: .reject(400), reason: "single spaces only (7.1)"),
        Case(name: "trailing-space-in-request-line", verdict: .reject(400), reason: "nothing after the version"),
        Case(name: "no-version", verdict: .reject(400), reason: "a request line without version"),
        Case(name: "headers-in-request-uri", verdict: .reject(400), reason: "not allowed there (19.1.1)"),
        Case(name: "bad-escape", verdict: .reject(400), reason: "% without two hex digits"),
        Case(name: "empty-host", verdict: .reject(400), reason: "a URI without host"),
        Case(name: "port-too-large", verdict: .reject(400), reason: "above 65535"),
        Case(name: "port-not-a-number", verdict: .reject(400), reason: "libosip2 takes any text"),
        Case(name: "missing-call-id", verdict: .drop, reason: "required (8.1.1), and an answer needs it"),
        Case(name: "repeated-to", verdict: .reject(400), reason: "one To only"),
        Case(name: "repeated-cseq", verdict: .reject(400), reason: "one CSeq only"),
        Case(name: "repeated-call-id", verdict: .reject(400), reason: "one Call-ID only"),
        Case(name: "repeated-max-forwards", verdict: .reject(400), reason: "one Max-Forwards only"),
        Case(name: "cseq-too-large", verdict: .reject(400), reason: "2^31 (8.1.1.5)"),
        Case(name: "cseq-enormous", verdict: .reject(400), reason: "more digits than any integer"),
        Case(name: "cseq-not-a-number", verdict: .reject(400), reason: "letters"),
        Case(name: "cseq-without-method", verdict: .reject(400), reason: "a number alone"),
        Case(name: "cseq-method-mismatch", verdict: .reject(400), reason: "CSeq names another method (8.1.1.5)"),
        Case(name: "max-forwards-256", verdict: .reject(400), reason: "0 to 255 (20.22)"),
        Case(name: "max-forwards-negative", verdict: .reject(400), reason: "a sign is no digit"),
        Case(
            name: "content-length-too-large", verdict: .reject(400),
            reason: "the datagram ends before the body does (18.3)"),
        Case(name: "content-length-negative", verdict: .reject(400), reason: "a sign is no digit"),
        Case(name: "content-length-twice", verdict: .reject(400), reason: "two lengths: where does the body end?"),
        Case(name: "content-length-overflow", verdict: .reject(400), reason: "more than any integer holds"),
        Case(
            name: "stream-without-length", verdict: .reject(400), reason: "required on streams (18.3)", transport: .tcp),
        Case(
            name: "stream-too-short", verdict: .reject(400), reason: "framing gives the exact length", transport: .tcp),
        Case(name: "unclosed-quote", verdict: .reject(400), reason: "a display name that never ends"),
        Case(name: "unclosed-bracket", verdict: .reject(400), reason: "a URI that never ends"),
        Case(name: "text-after-bracket", verdict: .reject(400), reason: "libosip2 skips it"),
        Case(name: "two-from-tags", verdict: .reject(400), reason: "which one is the dialog's?"),
        Case(name: "empty-to-tag", verdict: .reject(400), reason: "names no dialog, and is no reason to add another"),
        Case(name: "semicolon-ends-via", verdict: .reject(400), reason: "a parameter added there would be lost"),
        Case(name: "semicolon-ends-to", verdict: .reject(400), reason: "a tag added there would be lost"),
        Case(
            name: "unclosed-quote-in-via", verdict: .reject(400), reason: "a parameter added there would be part of it"),
        Case(name: "empty-parameter-value", verdict: .reject(400), reason: "an equals sign with nothing behind it"),
        Case(name: "parameter-name-with-space", verdict: .reject(400), reason: "a name is a token"),
        Case(name: "two-branches", verdict: .reject(400), reason: "which one is the transaction's?"),
        Case(name: "empty-via", verdict: .reject(400), reason: "a Via line without value"),
        Case(name: "via-version-seven", verdict: .reject(400), reason: "another version in Via"),
        Case(name: "via-text-after-port", verdict: .reject(400), reason: "libosip2 takes it for the port"),
        Case(name: "via-comment", verdict: .reject(400), reason: "RFC 2543 comments are gone"),
        Case(name: "empty-contact-element", verdict: .reject(400), reason: "two commas in a row"),
        Case(name: "bad-contact", verdict: .reject(400), reason: "brackets that do not match"),
        Case(name: "contact-without-brackets", verdict: .reject(400), reason: "a space inside an address"),
        Case(name: "ipv6-without-brackets", verdict: .reject(400), reason: "RFC 5118 4.2: not a URI"),
        Case(name: "ipv6-bad-address", verdict: .reject(400), reason: "ten groups"),
        Case(name: "header-without-colon", verdict: .reject(400), reason: "no name and value"),
        Case(name: "header-name-not-token", verdict: .reject(400), reason: "a space inside a name"),
        Case(name: "bare-line-feed", verdict: .reject(400), reason: "a line end to some, text to others"),
        Case(name: "bare-carriage-return", verdict: .reject(400), reason: "a line end to some, text to others"),
        Case(name: "nul-in-header", verdict: .reject(400), reason: "ends a C string early"),
        Case(name: "invalid-utf8", verdict: .reject(400), reason: "Latin-1 in a display name"),
        Case(name: "missing-empty-line", verdict: .reject(400), reason: "the head never ends; libosip2 takes it"),
        Case(name: "missing-final-crlf", verdict: .reject(400), reason: "the last line is cut off; libosip2 takes it"),
        Case(name: "sixty-five-vias", verdict: .reject(400), reason: "over the limit"),
        Case(name: "sixty-five-warnings", verdict: .reject(400), reason: "over the limit"),
        Case(name: "three-hundred-headers", verdict: .reject(400), reason: "over the limit of all kinds"),
        Case(name: "message-too-large", verdict: .reject(513), reason: "over 64 KiB"),
        Case(name: "call-id-with-space", verdict: .reject(400), reason: "a word has no spaces"),
        Case(name: "ack-with-bad-cseq", verdict: .drop, reason: "ACK is never answered (17.2.1)"),
        Case(name: "response-status-700", verdict: .drop, reason: "responses are never answered"),
        Case(name: "response-status-four-digits", verdict: .drop, reason: "4294967301 is not 5"),
        Case(name: "response-status-text", verdict: .drop, reason: "libosip2 takes it for 0"),
        Case(name: "response-version-seven", verdict: .drop, reason: "not our SIP"),
        Case(name: "response-without-via", verdict: .drop, reason: "nowhere to go"),
        Case(name: "request-without-via", verdict: .drop, reason: "nowhere to answer to"),
        Case(name: "request-without-cseq", verdict: .drop, reason: "an answer needs it"),
        Case(name: "request-without-from", verdict: .drop, reason: "an answer needs it"),
        Case(name: "response-body-short", verdict: .drop, reason: "cannot be asked for again"),
        Case(name: "not-sip", verdict: .drop, reason: "a web request"),
        Case(name: "random-bytes", verdict: .drop, reason: "no start line"),
        Case(name: "keep-alive-crlf", verdict: .drop, reason: "holds a NAT binding open (RFC 5626 4.4.1)"),
        Case(name: "keep-alive-nul", verdict: .drop, reason: "some clients send NULs"),
        Case(name: "stun-binding-request", verdict: .drop, reason: "RFC 5389 on the same port"),
        Case(name: "empty-datagram", verdict: .drop, reason: "some clients send nothing"),
        Case(name: "only-start-line", verdict: .drop, reason: "no headers at all"),
    ]
}
