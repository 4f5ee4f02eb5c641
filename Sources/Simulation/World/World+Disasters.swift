import Primitives

enum Disaster: Sendable {
    /// Draws the next one.
    case next
    case kill(Int, hostGone: Bool)
    case restart(Int)
    case join(Int)
    case storeBack
    case garbage
    case faultyTick
}

/// What goes wrong, and when it is mended.
extension World {
    mutating func scheduleDisasters() {
        events.schedule(.disaster(.next), at: now + .milliseconds(Int.random(in: 12_000...40_000, using: &random)))
        events.schedule(.disaster(.garbage), at: now + .seconds(1))
    }

    mutating func strike(_ disaster: Disaster) {
        switch disaster {
        case .next:
            guard !isClosing else { return }
            strikeSomewhere()
            events.schedule(.disaster(.next), at: now + .milliseconds(Int.random(in: 8_000...45_000, using: &random)))
        case .kill(let index, let hostGone): if isSpared(index) { kill(index, hostGone: hostGone) }
        case .restart(let index): if centers[index].core == nil { start(index) }
        case .join(let index):
            centers[index].isCut = false
            note("\(centers[index].name) and the master hear each other again")
        case .storeBack:
            note("the store is back")
            storeReturns()
        case .garbage:
            guard !isClosing else { return }
            for _ in 0..<4 { throwGarbage() }
            events.schedule(.disaster(.garbage), at: now + .milliseconds(Int.random(in: 500...4_000, using: &random)))
        case .faultyTick:
            guard !isClosing else { return }
            faultyTick()
            events.schedule(.disaster(.faultyTick), at: now + .seconds(12))
        }
    }

    private mutating func strikeSomewhere() {
        let index = Int.random(in: centers.indices, using: &random)
        disasters.append(now)
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5: killIfSpared(index)
        case 5..<7: cutIfSpared(index)
        default: takeStoreAway()
        }
    }

    /// Another center runs, so that calls have somewhere to go.
    private func isSpared(_ index: Int) -> Bool {
        guard centers[index].core != nil, !centers[index].isCut else { return false }
        return centers.contains { $0.index != index && $0.core != nil && !$0.isCut }
    }

    private mutating func killIfSpared(_ index: Int) {
        guard isSpared(index) else { return }
        // Some call just before, so that their INVITE is at the center when it dies, some just after.
        for phone in phones.indices.dropFirst(settings.phones) {
            let delay = Duration.milliseconds(
                Int.random(in: phone.isMultiple(of: 2) ? 15...42 : 43...900, using: &random))
            events.schedule(.errand(phone), at: now + delay)
        }
        let hostGone = Bool.random(using: &random)
        events.schedule(.disaster(.kill(index, hostGone: hostGone)), at: now + .milliseconds(40))
        events.schedule(
            .disaster(.restart(index)), at: now + .milliseconds(Int.random(in: 300...25_000, using: &random)))
    }

    private mutating func cutIfSpared(_ index: Int) {
        guard isSpared(index) else { return }
        report.cuts += 1
        centers[index].isCut = true
        note("\(centers[index].name) and the master are cut off from each other")
        events.schedule(.disaster(.join(index)), at: now + .milliseconds(Int.random(in: 300...9_000, using: &random)))
    }

    private mutating func takeStoreAway() {
        guard !store.isAway else { return }
        report.outages += 1
        store.isAway = true
        note("the store is away")
        events.schedule(.disaster(.storeBack), at: now + .milliseconds(Int.random(in: 50...9_000, using: &random)))
    }

    mutating func heal() {
        for index in centers.indices {
            if centers[index].core == nil { start(index) }
            centers[index].isCut = false
        }
        if store.isAway { storeReturns() }
    }

    // MARK: Faults that need an occasion

    private mutating func faultyTick() {
        let index = Int.random(in: centers.indices, using: &random)
        switch settings.fault {
        case .staleWrites: cutIfSpared(index)
        case .noFailover: killIfSpared(index)
        case .dropCalls: tellCenter(index, .endAllCalls)
        case .doublePost, .falseDone, .forgetCDR, .leakPIN, .swallowAnswers, .crossedLines, nil: break
        }
    }

    // MARK: Garbage (I9)

    /// Bytes of strangers: noise, or messages with some bytes changed. They belong to no caller's call.
    private mutating func throwGarbage() {
        let targets = [Self.accessAddress, Self.masterAddress] + centers.map(\.endpoint)
        guard let to = targets.randomElement(using: &random) else { return }
        let from = Endpoint(.v4(0x0A09_0000 + UInt32.random(in: 0...255, using: &random)), port: 5060)
        var bytes: [UInt8]
        if Int.random(in: 0..<4, using: &random) == 0 {
            bytes = (0..<Int.random(in: 0...1_400, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
        } else {
            bytes = mangledMessage(to: to, from: from)
        }
        report.garbage += 1
        transmit(bytes, from: from, to: to)
    }

    private mutating func mangledMessage(to: Endpoint, from: Endpoint) -> [UInt8] {
        let methods = ["INVITE", "BYE", "CANCEL", "OPTIONS", "ACK", "INFO", "UPDATE", "PRACK", "REGISTER", "NOTIFY"]
        let method = methods.randomElement(using: &random) ?? "INVITE"
        let isResponse = Int.random(in: 0..<4, using: &random) == 0
        let first =
            isResponse
            ? "SIP/2.0 \(Int.random(in: 100...699, using: &random)) Whatever" : "\(method) sip:95533@\(to) SIP/2.0"
        let toTag = Bool.random(using: &random) ? ";tag=center-a.1.\(random.hex(16))" : ""
        let body = "v=0\r\no=- 1 1 IN IP4 10.9.0.1\r\ns=-\r\nc=IN IP4 10.9.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
        let text =
            "\(first)\r\nVia: SIP/2.0/UDP \(from);branch=z9hG4bK\(random.hex(10))\r\nMax-Forwards: 70\r\n"
            + "From: <sip:stranger@\(from)>;tag=\(random.hex(6))\r\nTo: <sip:95533@\(to)>\(toTag)\r\n"
            + "Call-ID: \(random.hex(12))\r\nCSeq: 7 \(method)\r\nContact: <sip:stranger@\(from)>\r\n"
            + "Content-Type: application/sdp\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let place = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 9)], at: place)
            default: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...9, using: &random)))
            }
            if bytes.isEmpty { break }
        }
        return bytes
    }
}
