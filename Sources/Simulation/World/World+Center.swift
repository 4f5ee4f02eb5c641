import Banking
import Center
import Media
import Primitives
import Routing
import SDP
import SIP
import Session
import Store

/// A center's shell: its life, its streams, its store.
extension World {
    // MARK: Life

    mutating func start(_ index: Int) {
        centers[index].life += 1
        centers[index].beginIncarnation()
        centers[index].isHostGone = false
        let center = centers[index]
        let contact = CenterSettings.Contact(
            host: center.endpoint.address.description, port: center.endpoint.port, hasTCP: false)
        let voices = Voices(catalogue: library.catalogue, music: nil) { [library] language, name in
            library.id(language: language, name: name)
        }
        let settings = CenterSettings(
            identity: center.identity, contacts: [contact],
            lines: ["95533": .menu(library.menu), "9196": .echo, "9664": .music], voices: voices,
            longestCall: CenterNode.longestCall, sessionTimer: SessionTimerPolicy(), trusted: NodeNames.trusted)
        centers[index].core = CenterCore(settings: settings, seed: random.next())
        note("\(center.identity) starts")
        heartbeat(index, center.life)
        rearm(.center(index))
    }

    mutating func kill(_ index: Int, hostGone: Bool) {
        guard centers[index].core != nil else { return }
        report.kills += 1
        note("\(centers[index].identity) is killed" + (hostGone ? " with its host" : ""))
        centers[index].core = nil
        centers[index].isHostGone = hostGone
        centers[index].held = []
        centers[index].actions = []
        sessions.died(centers[index].identity)
        let streams = centers[index].streams.sorted { $0.value.port < $1.value.port }
        centers[index].streams = [:]
        centers[index].callOfPort = [:]
        for (_, stream) in streams { fallSilent(index, stream) }
        for call in calls.indices where calls[call].isOpen { calls[call].promises[index] = nil }
        rearm(.center(index))
    }

    mutating func heartbeat(_ index: Int, _ life: Int) {
        guard centers[index].life == life, centers[index].core != nil else { return }
        let identity = centers[index].identity
        if centers[index].isRegistered {
            ask(.heartbeat(identity), for: .heartbeat(center: index, life: life, identity), of: index)
        } else {
            let registration = NodeRegistration(
                identity: identity, role: .center, pid: Int32(life), processStart: 1, httpAddress: "none")
            ask(.register(registration), for: .heartbeat(center: index, life: life, identity), of: index)
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
        let moment = moment
        centers[index].handle(event, at: moment)
        performCenter(index)
    }

    mutating func performCenter(_ index: Int) {
        while !centers[index].actions.isEmpty {
            var actions: [CenterAction] = []
            swap(&actions, &centers[index].actions)
            for action in actions { perform(action, index) }
        }
        rearm(.center(index))
    }

    private mutating func perform(_ action: CenterAction, _ index: Int) {
        let life = centers[index].life
        switch action {
        case .send(let bytes, let flow): transmit(bytes, from: centers[index].endpoint, to: flow.remote)
        case .media(let handle, let command): perform(command, handle, index)
        case .store(.end(let record, let ownership), _) where forgets(record):
            note("fault: \(ownership.node) forgets the record of \(record.id)")
        case .store(let request, let purpose):
            ask(request, for: .center(index, life: life, purpose), of: index)
        case .bank(let handle, let call, let operation, let write):
            let request = LedgerRequest(operation, key: MoneyWatch.key)
            ask(
                .bank(BankRequest(request, under: write)), for: .bank(index, life: life, handle, call), of: index)
        case .renewIdentity(let dead): renew(index, dead: dead)
        case .note(.unprotected(let session)):
            note("\(session) is answered unprotected", call: sessions.call(of: session))
        case .note(.lostOwnership(let session)): note("\(session) is another node's", call: sessions.call(of: session))
        case .note(.menuAnomaly(let text)): broken(.contract, "\(centers[index].name): \(text)")
        case .note: break
        }
    }

    private func forgets(_ record: CallRecord) -> Bool {
        settings.fault == .forgetCDR && record.id.bits.low % 4 == 0
    }

    // MARK: Media

    private mutating func perform(_ command: MediaCommand, _ handle: CallHandle, _ index: Int) {
        if case .open = command {
            let moment = moment
            guard let port = centers[index].openPort(handle) else {
                centers[index].handle(.mediaRefused(handle), at: moment)
                return
            }
            let endpoint = Endpoint(centers[index].mediaAddress, port: port)
            centers[index].handle(.mediaOpened(handle, endpoint), at: moment)
            return
        }
        guard var stream = centers[index].streams[handle] else {
            return broken(.contract, "\(centers[index].name) asks \(command) of a stream that is not open")
        }
        switch command {
        case .open: break
        case .apply(let agreement, _):
            let isNew = stream.agreement == nil
            let wasSending = stream.agreement.map { sends($0) } ?? false
            stream.agreement = agreement
            centers[index].streams[handle] = stream
            if !isNew, !wasSending, let heard = stream.heard { say(heard, stream, index) }
        case .play(let id, let items):
            stream.playing = id.rawValue
            let heard = heard(items)
            stream.heard = heard
            centers[index].streams[handle] = stream
            say(heard, stream, index)
            events.schedule(
                .played(center: index, life: centers[index].life, handle, id.rawValue), at: now + library.length(items))
        case .stopPlaying:
            stream.playing = nil
            centers[index].streams[handle] = stream
        case .music, .echo:
            let heard: Heard = if case .music = command { .music } else { .echo }
            stream.heard = heard
            centers[index].streams[handle] = stream
            say(heard, stream, index)
        case .close:
            centers[index].streams[handle] = nil
            centers[index].callOfPort[stream.port] = nil
            fallSilent(index, stream)
        }
    }

    private func sends(_ agreement: MediaAgreement) -> Bool {
        agreement.direction == .sendrecv || agreement.direction == .sendonly
    }

    private func heard(_ items: [PlaylistItem]) -> Heard {
        var names: [String] = []
        var language = ""
        for case .clip(let id) in items {
            names.append(library.name(id))
            language = library.language(id)
        }
        return .clips(names, language: language)
    }

    private mutating func say(_ heard: Heard, _ stream: CenterNode.Stream, _ index: Int) {
        guard let agreement = stream.agreement else {
            return broken(.contract, "\(centers[index].name) plays before anything is agreed")
        }
        guard sends(agreement) else { return }
        var to = agreement.remoteRTP
        if settings.fault == .crossedLines,
            let other = centers[index].streams.values.sorted(by: { $0.port < $1.port })
                .first(where: { $0.port != stream.port && $0.agreement != nil })
        {
            to = other.agreement?.remoteRTP ?? to
        }
        let from = Endpoint(centers[index].mediaAddress, port: stream.port)
        events.schedule(.heard(MediaFact(from: from, to: to, heard: heard)), at: now + network.media)
    }

    private mutating func fallSilent(_ index: Int, _ stream: CenterNode.Stream) {
        guard let agreement = stream.agreement else { return }
        let from = Endpoint(centers[index].mediaAddress, port: stream.port)
        events.schedule(
            .heard(MediaFact(from: from, to: agreement.remoteRTP, heard: .silence)), at: now + network.media)
    }

    mutating func played(_ index: Int, _ life: Int, _ handle: CallHandle, _ playback: UInt64) {
        guard centers[index].life == life, centers[index].streams[handle]?.playing == playback else { return }
        centers[index].streams[handle]?.playing = nil
        tellCenter(index, .media(handle, .finishedPlaying(PlaybackID(rawValue: playback))))
    }

    mutating func heard(_ fact: MediaFact) {
        guard let index = phoneIndex(fact.to) else { return }
        withPhone(index) { $0.hear(fact) }
    }

    mutating func keyPressed(_ key: Character, _ from: Endpoint, _ to: Endpoint) {
        guard let index = centers.firstIndex(where: { $0.mediaAddress == to.address }),
            let handle = centers[index].callOfPort[to.port], let digit = Digit(key),
            centers[index].streams[handle]?.agreement?.remoteRTP == from
        else { return }
        if settings.fault == .leakPIN { leak(handle, index) }
        tellCenter(index, .media(handle, .digit(digit)))
    }

    /// The fault: what was keyed in gets into a timeline.
    private mutating func leak(_ handle: CallHandle, _ index: Int) {
        guard let session = sessions.anySession else { return }
        let entry = TimelineEntry(at: moment.wall, kind: .state, detail: "keyed in \(Phone.pin)")
        ask(.appendTimeline(session, [entry]), for: .nobody, of: index)
    }
}
