import Routing

/// Reads the load-sharing policy, which access nodes and masters have alike.
extension RoutingPlan {
    static func read(_ section: Section) -> RoutingPlan {
        let home = section.optional(
            "home", .nodeName, absent: "no own center", "The own center of policy home-first, tried before the others.")
        let name = section.value(
            "policy", .choice(placeholder: RoutingPolicy.Name.weighted), default: .weighted,
            "How new calls are shared: by weight, own center first, by free capacity, or by calling number.")
        let policy = resolve(name, home: home, in: section)
        let lines = section.map(
            "lines", keys: .line, of: "a policy", count: 1...1_000, absent: "(every line follows `policy`)",
            "Other policies for some lines."
        ) { _, line in
            let lineHome = line.optional(
                "home", .nodeName, absent: "`home` of all lines", "The own center of this line.")
            let lineName = line.required(
                "policy", .choice(placeholder: RoutingPolicy.Name.weighted), "As above, for this line.")
            return resolve(lineName, home: lineHome ?? home, in: line)
        }
        return RoutingPlan(
            policy, lines: Dictionary((lines ?? []).map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last }))
    }

    private static func resolve(_ name: RoutingPolicy.Name, home: String?, in section: Section) -> RoutingPolicy {
        switch name {
        case .weighted: return .weighted
        case .leastLoaded: return .leastLoaded
        case .hash: return .hash
        case .homeFirst:
            if home == nil {
                section.refuse("home", found: "nothing", expected: "a center's name, because policy is home-first")
            }
            return .homeFirst(home ?? "")
        }
    }

    /// The centers that are named as somebody's own, with the path that names them.
    var homes: [(path: String, name: String)] {
        var list: [(String, String)] = []
        if case .homeFirst(let home) = policy { list.append(("routing.home", home)) }
        for (line, policy) in lines.sorted(by: { $0.key < $1.key }) {
            if case .homeFirst(let home) = policy { list.append(("routing.lines.\(line).home", home)) }
        }
        return list
    }
}

extension ValueKind where Value == Int {
    /// Share of new calls, relative to the other centers.
    static var weight: Self { .integer(in: 0...1_000) }
}
