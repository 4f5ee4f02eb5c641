import Banking
import Primitives
import Session
import Store

/// What the judge knows of a call.
struct CallFacts: Sendable {
    var phone: Int
    var errand: Errand
    var began: MonotonicTime
    /// A datagram of it was lost or came very late.
    var isDisturbed = false
    var disturbedAt: MonotonicTime?
    var isOpen = true
    var answeredAt: MonotonicTime?
    /// Centers that could take it when it began, and have lived since.
    var promises: [Int: NodeIdentity] = [:]
    var hearing = Hearing()
    /// A key was pressed while the way to the center was cut.
    var keyLostAt: MonotonicTime?
}

/// Callers and what they mean to do.
extension World {
    mutating func openBank() {
        for start in stride(from: 0, to: money.openings.count, by: StoreRequest.seedLimit) {
            let chunk = Array(money.openings.dropFirst(start).prefix(StoreRequest.seedLimit))
            _ = store.perform(.seed(chunk), at: storeTime)
        }
        if case .accounts(let rows) = store.look(.accounts(includingBank: true), at: storeTime) {
            money.opened(rows)
        }
    }

    mutating func withPhone(_ index: Int, _ work: (inout Phone) -> Void) {
        phones[index].now = now
        work(&phones[index])
        var outputs: [PhoneOutput] = []
        swap(&outputs, &phones[index].outputs)
        for output in outputs { perform(output, index) }
        // The array's room is used again.
        outputs.removeAll(keepingCapacity: true)
        if phones[index].outputs.isEmpty { swap(&outputs, &phones[index].outputs) }
    }

    private mutating func perform(_ output: PhoneOutput, _ phone: Int) {
        switch output {
        case .send(let bytes, let to): transmit(bytes, from: phones[phone].address, to: to)
        case .press(let key, let from, let to):
            events.schedule(.keyPressed(key, from: from, to: to), at: now + network.media)
        case .schedule(let timer, let call, let delay):
            events.schedule(.phone(phone, call: call, timer), at: now + delay)
        case .told(let news, let call): judge(news, call)
        }
    }

    // MARK: Errands

    mutating func beginErrand(_ phone: Int) {
        guard !isClosing else { return }
        guard !phones[phone].isBusy else { return _ = events.schedule(.errand(phone), at: now + .seconds(1)) }
        let errand = drawErrand(phone)
        let number = calls.count
        var facts = CallFacts(phone: phone, errand: errand, began: now)
        for center in centers where isTakingCalls(center, phone) { facts.promises[center.index] = center.identity }
        calls.append(facts)
        report.calls += 1
        note("phone \(phone) calls \(errand.line): \(Self.name(errand.kind))", call: number)
        withPhone(phone) { $0.begin(errand, number: number) }
    }

    private static func name(_ kind: Errand.Kind) -> String {
        switch kind {
        case .bank(let items): "bank, \(items.count) items"
        case .silent: "silent"
        case .forgetful: "wrong PIN"
        case .music: "music"
        case .echo: "echo"
        case .unknownLine: "a line that is not there"
        case .cancels(let after): "cancels after \(after)"
        }
    }

    /// It works, and this caller's access knows this very incarnation as one that takes calls.
    private func isTakingCalls(_ center: CenterNode, _ phone: Int) -> Bool {
        guard case .access(let index)? = Places.node(at: phones[phone].access),
            accessNodes[index].process.isAtWork, center.process.isAtWork,
            accessNodes[index].process.since + .seconds(1) < now || accessNodes[index].process.life == 1,
            let table = accessNodes[index].core.table, !cuts.touches(.center(center.index))
        else { return false }
        return table.centers.contains {
            $0.name == center.name && $0.state.takesNewCalls && $0.incarnation == center.identity.incarnation
        }
    }

    private mutating func drawErrand(_ phone: Int) -> Errand {
        if phone >= settings.phones {
            let length = Duration.milliseconds(Int.random(in: 500...2_500, using: &random))
            return Errand(kind: .echo(length), customer: 0, language: "en", patience: .seconds(60))
        }
        let kind: Errand.Kind
        var customer = money.customer(phone)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<(settings.fault == .freshOperationID ? 100 : 62): kind = .bank(drawAgenda(customer, phone))
        case 62..<68: kind = .silent
        case 68..<71:
            kind = .forgetful
            customer = money.customer(settings.phones + phone % 4)
        case 71..<79: kind = .music(.milliseconds(Int.random(in: 3_000...160_000, using: &random)))
        case 79..<84: kind = .echo(.milliseconds(Int.random(in: 500...30_000, using: &random)))
        case 84..<87: kind = .unknownLine
        default: kind = .cancels(after: .milliseconds(Int.random(in: 0...160, using: &random)))
        }
        // A third hangs up somewhere on the way.
        let isHasty = Int.random(in: 0..<3, using: &random) == 0
        var errand = Errand(
            kind: kind, customer: customer, language: Bool.random(using: &random) ? "en" : "zh",
            patience: .milliseconds(Int.random(in: isHasty ? 200...60_000 : 120_000...140_000, using: &random)))
        if case .music = kind { errand.patience = .seconds(200) }
        errand.isRouteless = Int.random(in: 0..<8, using: &random) == 0
        errand.isOfferless = Int.random(in: 0..<16, using: &random) == 0
        errand.pressesByINFO = Int.random(in: 0..<8, using: &random) == 0
        errand.allowsUPDATE = Bool.random(using: &random)
        if Int.random(in: 0..<6, using: &random) == 0 { errand.sessionExpires_s = 90 }
        errand.holds = Bool.random(using: &random)
        return errand
    }

    private mutating func drawAgenda(_ customer: Int, _ phone: Int) -> [Errand.Item] {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in
            guard Int.random(in: 0..<4, using: &random) > 0, settings.phones > 1 else { return .balance }
            let other = (phone + Int.random(in: 1..<settings.phones, using: &random)) % settings.phones
            let transfer = Transfer(
                from: customer, to: money.customer(other), amountMinor: money.freshAmount(using: &random))
            return .transfer(transfer, confirms: Int.random(in: 0..<8, using: &random) > 0)
        }
    }
}
