import Media
import Primitives
import SIP
import Session
import Store
import Testing

@testable import Center

/// Centers that die, come back, drain and take over in any order, under callers who do anything: I1, I2 and I5 hold.
@Suite struct RandomTakeoversTests {
    private static let names = ["a", "b", "c"]

    private struct World {
        let cluster: Cluster
        var random: SeededRandom
        var phones: [Phone] = []
        /// Names of centers that run.
        var living = Set(RandomTakeoversTests.names)
        var incarnation = 0
        var draining: String?
        /// Incarnations that died.
        var graves: [NodeIdentity] = []

        /// Those that a master would still speak of.
        var noticed: [NodeIdentity] {
            graves.filter { dead in
                let reply = cluster.store.perform(
                    .sessionsOwned(by: dead, limit: 1), at: Moment(monotonic: .zero, wall: .epoch))
                if case .sessionHeads(let heads) = reply { return !heads.isEmpty } else { return false }
            }.suffix(4)
        }

        mutating func chance(_ of: Int) -> Bool { Int.random(in: 0..<of, using: &random) == 0 }
        mutating func pick(_ names: some Collection<String>) -> String? { names.sorted().randomElement(using: &random) }
    }

    @Test(arguments: 12...23)
    func everySessionHasOneOwnerAndOneRecord(_ seed: Int) throws {
        var world = World(
            cluster: try Cluster(Self.names) { $0.longestCall = .seconds(300) },
            random: SeededRandom(seed: UInt64(seed)))
        var opened: Set<SessionID> = []
        for step in 0..<250 {
            try act(&world, step)
            for name in Self.names { opened.formUnion(try world.cluster[name].opened.map(\.session)) }
            try ownersAreAlone(world, "seed \(seed), step \(step)")
        }
        try settle(&world)
        let records = world.cluster.store.records
        #expect(!opened.isEmpty)
        #expect(Set(records.map(\.id)).count == records.count)
        for id in opened.symmetricDifference(records.map(\.id)).sorted() {
            let row = world.cluster.store.session(id)
            Issue.record("seed \(seed): \(id) has no record; owner \(row?.ownership.node.description ?? "none")")
        }
        #expect(records.contains { $0.takeovers > 0 })
        for name in world.living { #expect(try world.cluster[name].callCount == 0) }
    }

    private func act(_ world: inout World, _ step: Int) throws {
        switch Int.random(in: 0..<20, using: &world.random) {
        case 0...3:
            guard let name = world.pick(world.living) else { return }
            let phone = Phone(try world.cluster[name], callID: "call-\(step)")
            phone.line = world.chance(3) ? "9664" : "95533"
            try phone.invite(world.chance(6) ? "" : Phone.offer)
            world.phones.append(phone)
        case 4...6:
            guard let phone = phone(&world) else { return }
            try phone.acknowledge(world.chance(6) ? Phone.offer : "", cseq: nil)
        case 7:
            guard let phone = phone(&world) else { return }
            try phone.hangUp()
        case 8:
            guard let phone = phone(&world) else { return }
            try phone.request("INVITE", body: Phone.sdp(direction: "sendonly", version: step))
        case 9...11:
            guard let phone = phone(&world), phone.bench.requestsSent(.invite).last != nil else { return }
            try phone.answerInvite([200, 200, 200, 491, 488, 500, 481].randomElement(using: &world.random) ?? 200)
        case 12...13:
            guard let name = world.pick(world.living) else { return }
            for _ in 0..<Int.random(in: 1...4, using: &world.random) {
                if try world.cluster[name].lastCall != nil {
                    try world.cluster[name].press(String("0123*#".randomElement(using: &world.random) ?? "1"))
                }
            }
        case 14 where world.living.count > 1:
            try kill(&world)
        case 15:
            let dead = Set(Self.names).subtracting(world.living)
            guard let name = world.pick(dead) else { return }
            world.incarnation += 1
            let former = try world.cluster[name]
            let bench = try world.cluster.start(name, "n\(world.incarnation)") { $0.longestCall = .seconds(300) }
            bench.advance(by: former.now.monotonic - bench.now.monotonic)
            world.living.insert(name)
        case 16 where world.living.count > 1:
            guard let name = world.pick(world.living) else { return }
            world.draining = world.draining == nil ? name : nil
            for other in world.living.sorted() {
                try world.cluster.ping(
                    other, peers: peers(world), want: other == world.draining ? "draining" : "enabled")
            }
        default:
            let span = Duration.milliseconds([5, 50, 300, 1_200].randomElement(using: &world.random) ?? 5)
            try advance(&world, by: span)
        }
        try world.cluster.relay(world.living.sorted())
    }

    private func peers(_ world: World) -> [String] { world.living.subtracting([world.draining ?? ""]).sorted() }

    /// A phone and the center that its requests reach now: any that lives.
    private func phone(_ world: inout World) -> Phone? {
        guard let phone = world.phones.randomElement(using: &world.random), phone.toTag != nil else { return nil }
        for name in world.living.sorted() {
            guard let bench = try? world.cluster[name], bench.has(phone) else { continue }
            phone.bench = bench
            return phone
        }
        return nil
    }

    private func kill(_ world: inout World) throws {
        guard let name = world.pick(world.living) else { return }
        world.living.remove(name)
        if world.draining == name { world.draining = nil }
        let identity = try world.cluster.identity(name)
        world.cluster.store.fence(identity)
        world.graves.append(identity)
        for other in world.living.sorted() {
            // A notice is lost now and then; the next one comes with the next step of time.
            if world.chance(4) { continue }
            try world.cluster.ping(other, peers: peers(world), graves: [identity])
        }
    }

    private func advance(_ world: inout World, by span: Duration) throws {
        for name in world.living.sorted() {
            try world.cluster[name].advance(by: span)
            try world.cluster.ping(name, peers: peers(world), graves: world.noticed)
        }
    }

    /// I1: no two centers that live hold the same session under the same right.
    private func ownersAreAlone(_ world: World, _ place: String) throws {
        var held: [SessionID: Ownership] = [:]
        for name in world.living.sorted() {
            try world.cluster[name].core.calls.forEach { call in
                guard call.row == .open, call.handover == nil else { return }
                if let other = held[call.session], other == call.ownership {
                    Issue.record("\(place): \(call.session) twice under \(other)")
                }
                held[call.session] = call.ownership
            }
        }
    }

    /// All that live take what is left, and callers' phones stay silent until each call has ended by its limits.
    private func settle(_ world: inout World) throws {
        world.draining = nil
        for name in world.living.sorted() { try world.cluster.ping(name, peers: peers(world), want: "enabled") }
        for _ in 0..<10 {
            try advance(&world, by: .milliseconds(600))
            try world.cluster.relay(world.living.sorted())
        }
        for name in world.living.sorted() { try world.cluster[name].handle(.endAllCalls) }
        for _ in 0..<5 {
            try advance(&world, by: .seconds(40))
            try world.cluster.relay(world.living.sorted())
        }
        for name in world.living.sorted() { try world.cluster[name].handle(.endAllCalls) }
        try advance(&world, by: .seconds(40))
    }
}

extension CenterBench {
    /// The phone's call goes on here.
    fileprivate func has(_ phone: Phone) -> Bool {
        phone.toTag.map {
            core.calls.find(DialogID(callID: phone.callID, localTag: $0, remoteTag: phone.fromTag)) != nil
        } ?? false
    }
}
