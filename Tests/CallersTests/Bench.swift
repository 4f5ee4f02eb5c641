import Media
import Primitives
import SDP
import SIP

@testable import Callers

/// Callers on virtual time, with a test for the other side.
final class Bench {
    static let phones = Endpoint(.v4(0x7F00_0001), port: 40_000)
    static let center = Endpoint(.v4(0x7F00_0001), port: 5081)
    static let otherCenter = Endpoint(.v4(0x7F00_0001), port: 5082)

    var core: CallersCore
    var now = MonotonicTime.zero
    /// Everything that was sent and not yet taken.
    var sent: [(message: Message, flow: Flow)] = []
    /// Every media order but `close`, which the bench answers.
    var orders: [(caller: Int, order: MediaOrder)] = []
    var closed: [Int: MonotonicTime] = [:]
    var isFinished = false
    /// Whether `close` is answered with a meter, as the audio thread does.
    private var talks: [Int: MonotonicTime] = [:]
    private let parser = MessageParser()

    init(
        calls: Int = 1, rate: Double = 10, hold: Int = 10, plan: String = "",
        change: (inout CallersSettings) -> Void = { _ in }
    )
        throws
    {
        var settings = CallersSettings(
            target: Self.center, line: "95533", local: Self.phones, calls: calls, rate: rate,
            hold: .seconds(hold), plan: try DigitPlan(plan))
        change(&settings)
        core = CallersCore(settings: settings, seed: 7)
        run { core, now, actions in core.start(now: now, into: &actions) }
    }

    // MARK: Time and events

    func run(_ work: (inout CallersCore, MonotonicTime, inout [CallersAction]) -> Void) {
        var actions: [CallersAction] = []
        work(&core, now, &actions)
        for action in actions {
            switch action {
            case .send(let bytes, let flow):
                guard let message = try? parser.parse(bytes, transport: flow.transport) else {
                    preconditionFailure("unreadable: \(String(decoding: bytes, as: UTF8.self))")
                }
                sent.append((message, flow))
            case .openMedia(let caller):
                handle(.mediaOpened(caller, Endpoint(.v4(0x7F00_0001), port: UInt16(30_000 + caller))))
            case .media(let caller, .close(let time)):
                closed[caller] = time
                guard let begun = talks[caller] else { continue }
                var meter = ReceptionMeter(begun: begun)
                meter.end(at: time)
                handle(.heard(caller, meter, overrun: 0))
            case .media(let caller, let order):
                if case .talk(_, let time) = order, talks[caller] == nil { talks[caller] = time }
                orders.append((caller, order))
            case .finished: isFinished = true
            }
        }
    }

    func handle(_ event: CallersEvent) { run { $0.handle(event, now: $1, into: &$2) } }

    /// Moves the clock from deadline to deadline, so that each timer fires at its own time.
    func advance(by span: Duration) {
        let end = now + span
        while let deadline = core.nextDeadline(), deadline <= end {
            now = max(now, deadline)
            run { $0.fire(now: $1, into: &$2) }
        }
        now = end
    }

    func take(_ method: Method) -> (message: Message, flow: Flow)? {
        guard let index = sent.firstIndex(where: { $0.message.isRequest && $0.message.method == method }) else {
            return nil
        }
        return sent.remove(at: index)
    }

    /// The next response sent, with that CSeq method.
    func takeResponse(_ method: Method) -> Message? {
        guard let index = sent.firstIndex(where: { !$0.message.isRequest && $0.message.method == method }) else {
            return nil
        }
        return sent.remove(at: index).message
    }

    func count(_ method: Method) -> Int { sent.count { $0.message.isRequest && $0.message.method == method } }

    // MARK: The other side

    func deliver(_ bytes: [UInt8], from remote: Endpoint = Bench.center) throws {
        let message = try parser.parse(bytes, transport: .udp)
        run { $0.receive(message, on: Flow(transport: .udp, remote: remote), now: $1, into: &$2) }
    }

    func respond(
        _ status: Int, to request: Message, from remote: Endpoint = Bench.center, tag: String = "b1",
        headers: [(HeaderName, String)] = [], body: MessageWriter.Body? = nil
    ) throws {
        let contact = NameAddress(uri: URI(user: "95533", host: remote.address.description, port: remote.port))
        try deliver(
            MessageWriter.response(
                to: request, status: status, toTag: status == 100 ? nil : tag, source: Self.phones,
                contact: (200...299).contains(status) ? contact : nil, headers: headers, body: body),
            from: remote)
    }

    static func answer(port: UInt16 = 10_000, version: Int = 1, direction: String = "sendrecv") -> MessageWriter.Body {
        let text = """
            v=0\r\no=tandem 77 \(version) IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
            m=audio \(port) RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
            a=fmtp:101 0-15\r\na=\(direction)\r\n
            """
        return ("application/sdp", Array(text.utf8))
    }

    /// The call is up: INVITE, 200, ACK. The INVITE and the ACK are returned.
    func connect() throws -> (invite: Message, ack: Message)? {
        guard let (invite, _) = take(.invite) else { return nil }
        try respond(200, to: invite, body: Self.answer())
        guard let (ack, _) = take(.ack) else { return nil }
        return (invite, ack)
    }

    /// A request of the other side inside the dialog that `invite` made.
    func request(
        _ method: Method, in invite: Message, cseq: UInt32, from remote: Endpoint = Bench.center, tag: String = "b1",
        branch: String, headers: [(HeaderName, String)] = [], body: MessageWriter.Body? = nil
    ) -> [UInt8] {
        var from = invite.to
        from.parameters.append(Parameter("tag", tag))
        let host = remote.address.description
        return MessageWriter.request(
            method: method, uri: invite.contacts[0].uri,
            via: Via(transport: .udp, host: host, port: remote.port, branch: "z9hG4bK\(branch)"), from: from,
            to: invite.from, callID: invite.callID, cseq: cseq,
            contact: NameAddress(uri: URI(user: "95533", host: host, port: remote.port)), headers: headers, body: body)
    }

    // MARK: What came of it

    var report: CallersReport { CallersReport(core.records, settings: core.settings) }
    var row: CallersReport.Row? { report.callers.first }

    var agreements: [MediaAgreement] {
        orders.compactMap { if case .talk(let agreement, _) = $0.order { agreement } else { nil } }
    }
    var presses: [String] {
        orders.compactMap { order in
            guard case .press(let digits) = order.order else { return nil }
            return String(digits.map(\.character))
        }
    }
}
