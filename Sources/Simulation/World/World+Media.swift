import Center
import Media
import Primitives
import SDP
import SIP
import Session
import Store

/// Media as facts: who hears what from where, when packets begin and when they cease.
extension World {
    mutating func perform(_ command: MediaCommand, _ handle: CallHandle, _ index: Int) {
        if case .open = command {
            let moment = moment(.center(index))
            guard let port = centers[index].openPort(handle) else {
                centers[index].handle(.mediaRefused(handle), at: moment)
                return
            }
            let endpoint = Endpoint(centers[index].mediaAddress, port: port)
            centers[index].handle(.mediaOpened(handle, endpoint), at: moment)
            return
        }
        guard let stream = centers[index].streams[handle] else {
            // A call that ended before its media were opened.
            if case .close = command { return }
            return broken(.contract, "\(centers[index].name) asks \(command) of a stream that is not open")
        }
        switch command {
        case .open: break
        case .apply(let agreement, _, _):
            let wasFlowing = stream.isFlowing
            centers[index].streams[handle]?.agreement = agreement
            reviewFlow(index, handle)
            if !wasFlowing, let heard = stream.heard { say(heard, handle, index) }
        case .play(let id, let items):
            centers[index].streams[handle]?.playing = id.rawValue
            say(heard(items), handle, index)
            events.schedule(
                .played(center: index, life: centers[index].process.life, handle, id.rawValue),
                at: now + library.length(items))
        case .stopPlaying: centers[index].streams[handle]?.playing = nil
        case .music: say(.music, handle, index)
        case .echo: say(.echo, handle, index)
        case .close:
            centers[index].streams[handle] = nil
            centers[index].callOfPort[stream.port] = nil
            fallSilent(index, stream)
        }
    }

    private func sends(_ stream: CenterNode.Stream, _ index: Int) -> Bool {
        guard let agreement = stream.agreement, centers[index].process.isAtWork, !centers[index].isMuted else {
            return false
        }
        return agreement.direction == .sendrecv || agreement.direction == .sendonly
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

    // MARK: Flow

    /// Something changed for all streams of a center.
    mutating func streamsChanged(_ index: Int) {
        for (handle, _) in centers[index].orderedStreams { reviewFlow(index, handle) }
    }

    private mutating func reviewFlow(_ index: Int, _ handle: CallHandle) {
        guard let stream = centers[index].streams[handle], let agreement = stream.agreement else { return }
        let flows = sends(stream, index)
        guard flows != stream.isFlowing else { return }
        centers[index].streams[handle]?.isFlowing = flows
        tell(flows ? .flows : .stops, stream, index, to: agreement.remoteRTP)
    }

    mutating func fallSilent(_ index: Int, _ stream: CenterNode.Stream) {
        guard stream.isFlowing, let agreement = stream.agreement else { return }
        tell(.stops, stream, index, to: agreement.remoteRTP)
    }

    /// The way to the callers was cut or mended: what flows stops or begins at their ears.
    mutating func wayToCallersChanged(_ index: Int) {
        let isOpen = !cuts.blocks(.center(index), .callers)
        for (_, stream) in centers[index].orderedStreams where stream.isFlowing {
            guard let agreement = stream.agreement else { continue }
            tell(isOpen ? .flows : .stops, stream, index, to: agreement.remoteRTP)
        }
    }

    private mutating func tell(_ heard: Heard, _ stream: CenterNode.Stream, _ index: Int, to: Endpoint) {
        if case .stops = heard {} else if cuts.blocks(.center(index), .callers) { return }
        let from = Endpoint(centers[index].mediaAddress, port: stream.port)
        events.schedule(.heard(MediaFact(from: from, to: to, heard: heard)), at: now + network.media)
    }

    // MARK: Content

    private mutating func say(_ heard: Heard, _ handle: CallHandle, _ index: Int) {
        centers[index].streams[handle]?.heard = heard
        guard let stream = centers[index].streams[handle] else { return }
        guard let agreement = stream.agreement else {
            return broken(.contract, "\(centers[index].name) plays before anything is agreed")
        }
        guard sends(stream, index) else { return }
        var to = agreement.remoteRTP
        if settings.fault == .crossedLines,
            let other = centers[index].orderedStreams
                .first(where: { $0.stream.port != stream.port && $0.stream.agreement != nil })
        {
            to = other.stream.agreement?.remoteRTP ?? to
        }
        tell(heard, stream, index, to: to)
    }

    mutating func played(_ index: Int, _ life: Int, _ handle: CallHandle, _ playback: UInt64) {
        guard centers[index].process.life == life, centers[index].streams[handle]?.playing == playback else { return }
        centers[index].streams[handle]?.playing = nil
        tellCenter(index, .media(handle, .finishedPlaying(PlaybackID(rawValue: playback))))
    }

    mutating func keyPressed(_ key: Character, _ from: Endpoint, _ to: Endpoint) {
        guard case .center(let index)? = Places.node(at: to) else { return }
        guard !cuts.blocks(.callers, .center(index)) else { return keyLost(from) }
        guard let handle = centers[index].callOfPort[to.port], let digit = Digit(key),
            centers[index].streams[handle]?.agreement?.remoteRTP == from
        else { return }
        if settings.fault == .leakPIN { leak(index) }
        tellCenter(index, .media(handle, .digit(digit)))
    }

    private mutating func keyLost(_ from: Endpoint) {
        guard let phone = phoneIndex(from), let call = phones[phone].calls.last(where: { $0.rtp == from }) else {
            return
        }
        calls[call.number].keyLostAt = now
    }

    /// The fault: what was keyed in gets into a timeline.
    private mutating func leak(_ index: Int) {
        guard let session = sessions.anySession else { return }
        let entry = TimelineEntry(at: wall, kind: .state, detail: "keyed in \(Phone.pin)")
        ask(.appendTimeline(session, [entry]), for: .nobody(.center(index)))
    }
}
