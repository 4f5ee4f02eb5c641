import Banking
import Center
import Menu
import Primitives
import Routing
import SIP
import Session
import Store

/// A center's shell: its life and its store.
extension World {
    // MARK: Life

    mutating func startCenter(_ index: Int) {
        centers[index].process.start(at: now)
        centers[index].beginIncarnation()
        let center = centers[index]
        let contact = CenterSettings.Contact(
            host: center.endpoint.address.description, port: center.endpoint.port, hasTCP: false)
        let voices = Voices(catalogue: library.catalogue, music: nil) { [library] language, name in
            library.id(language: language, name: name)
        }
        let settings = CenterSettings(
            identity: center.identity, contacts: [contact],
            lines: ["95533": .menu(library.menu), "9196": .echo, "9664": .music], voices: voices,
            callLimit: center.callLimit, longestCall: CenterNode.longestCall, sessionTimer: SessionTimerPolicy(),
            trusted: NodeNames.trusted)
        centers[index].core = CenterCore(settings: settings, seed: random.next())
        centers[index].isMuted = false
        centers[index].noteRoom(at: now)
        note("\(center.identity) starts")
        heartbeat(index, center.process.life)
        rearm(.center(index))
    }

    /// Its process is gone; what callers hear of that.
    mutating func centerDied(_ index: Int, wasAtWork: Bool) {
        centers[index].core = nil
        centers[index].actions = []
        sessions.died(centers[index].identity)
        if wasAtWork { expectTakeover(of: index) }
        for (_, stream) in centers[index].orderedStreams { fallSilent(index, stream) }
        centers[index].streams = [:]
        centers[index].callOfPort = [:]
        breakPromises(of: index)
    }

    /// Both loops find out that they did not run; media of a center that stood still for long wait for a word.
    mutating func centerStoodStill(_ index: Int, for gap: Duration) {
        if gap >= .milliseconds(400) {
            centers[index].isMuted = true
            centers[index].mediaStoodStillUntil = now
            centers[index].isInDoubt = true
        }
        streamsChanged(index)
        if settings.fault == .unawareOwner { return }
        tellCenter(index, .stoodStill(gap, until: now, hasBacklog: true))
    }

    mutating func heartbeat(_ index: Int, _ life: Int) {
        guard centers[index].process.life == life, centers[index].core != nil else { return }
        let identity = centers[index].identity
        let asker = StoreAsker.heartbeat(center: index, life: life, identity)
        if centers[index].isRegistered {
            ask(.heartbeat(identity), for: asker)
        } else {
            let registration = NodeRegistration(
                identity: identity, role: .center, pid: Int32(life), processStart: 1, httpAddress: "none")
            ask(.register(registration), for: asker)
        }
        events.schedule(.heartbeat(center: index, life: life), at: now + .seconds(1))
    }

    mutating func heartbeatAnswered(_ index: Int, _ identity: NodeIdentity, _ reply: StoreReply) {
        guard centers[index].identity == identity else { return }
        switch reply {
        case .done: centers[index].isRegistered = true
        case .notFound: centers[index].isRegistered = false
        case .fenced: renew(index, dead: identity)
        default: break
        }
    }

    /// The process goes on as a new incarnation, without the calls of the dead one.
    private mutating func renew(_ index: Int, dead: NodeIdentity) {
        guard centers[index].identity == dead else { return }
        centers[index].beginIncarnation()
        let next = centers[index].identity
        note("\(dead) learns that it was fenced, goes on as \(next)")
        tellCenter(index, .fenced(newIdentity: next))
    }

    // MARK: Actions

    mutating func tellCenter(_ index: Int, _ event: CenterEvent) {
        let moment = moment(.center(index))
        centers[index].handle(event, at: moment)
        performCenter(index)
    }

    mutating func performCenter(_ index: Int) {
        centers[index].noteRoom(at: now)
        while !centers[index].actions.isEmpty {
            var actions: [CenterAction] = []
            swap(&actions, &centers[index].actions)
            for action in actions { perform(action, index) }
        }
        rearm(.center(index))
        // The answer comes as an event of its own, after all that the old incarnation still did.
        guard let dead = centers[index].dying else { return }
        centers[index].dying = nil
        renew(index, dead: dead)
    }

    private mutating func perform(_ action: CenterAction, _ index: Int) {
        let life = centers[index].process.life
        switch action {
        case .send(let bytes, let flow):
            if centers[index].isInDoubt { speaksInDoubt(bytes, index) }
            transmit(bytes, from: centers[index].endpoint, to: flow.remote)
        case .media(let handle, let command): perform(command, handle, index)
        case .store(.end(let record, let ownership), _) where forgets(record):
            note("fault: \(ownership.node) forgets the record of \(record.id)")
        case .store(let request, let purpose): ask(request, for: .center(index, life: life, purpose))
        case .bank(let handle, let call, let operation, let write):
            let request = LedgerRequest(operation, key: MoneyWatch.key)
            ask(.bank(BankRequest(request, under: write)), for: .bank(index, life: life, handle, call))
        case .renewIdentity(let dead): centers[index].dying = dead
        case .mute(let isMuted, let asOf):
            // What was said before the media loop's own standstill is void.
            guard isMuted || asOf >= centers[index].mediaStoodStillUntil else { break }
            centers[index].isMuted = isMuted
            streamsChanged(index)
        case .note(.unprotected(let session)):
            note("\(session) is answered unprotected", call: sessions.call(of: session))
        case .note(.lostOwnership(let session)): note("\(session) is another node's", call: sessions.call(of: session))
        case .note(.stoodStill(let gap)): note("\(centers[index].identity) says nothing: it stood still for \(gap)")
        case .note(.isolated): note("\(centers[index].identity) hears neither store nor master nor access")
        case .note(.confirmed):
            centers[index].isInDoubt = false
            note("\(centers[index].identity) is confirmed")
        case .note(.passedOn(let method)): note("\(centers[index].identity) passes on \(method)")
        case .note(.takeoverFailed(let session, let reason)):
            note("\(centers[index].identity) cannot go on: \(reason)", call: sessions.call(of: session))
        case .note(.menuAnomaly(let text)): broken(.contract, "\(centers[index].name): \(text)")
        case .note: break
        }
    }

    /// TAKEOVER.md, The old owner: it "sends nothing, on any socket, until its incarnation is confirmed".
    private mutating func speaksInDoubt(_ bytes: [UInt8], _ index: Int) {
        let line = String(decoding: bytes.prefix { $0 != 13 }, as: UTF8.self)
        broken(
            .silentInDoubt, "\(centers[index].identity) stood still, is not confirmed, and says \(line)",
            call: Self.callNumber(in: bytes))
    }

    private func forgets(_ record: CallRecord) -> Bool {
        settings.fault == .forgetCDR && record.id.bits.low % 4 == 0
    }
}
