import Foundation
import Primitives

/// Why bytes are no route table.
public struct RouteTableError: Error, Equatable, CustomStringConvertible {
    public let description: String
}

extension RouteTable {
    /// The table as JSON, keys sorted, so that equal tables are equal bytes.
    /// Kept on disk by writing a temporary file beside the old one, syncing and renaming it.
    public func encodedJSON() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(self))
        } catch {
            // Strings, integers and lists of them always encode.
            preconditionFailure("route table \(leaderEpoch).\(generation) does not encode: \(error)")
        }
    }

    /// Reads what `encodedJSON` wrote, from the network or from disk, and checks every value.
    public init(json bytes: [UInt8]) throws(RouteTableError) {
        guard bytes.count <= Self.byteLimit else {
            throw RouteTableError(description: "\(bytes.count) bytes, at most \(Self.byteLimit) are read")
        }
        do {
            self = try JSONDecoder().decode(RouteTable.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw RouteTableError(description: error.routeTableDescription)
        } catch {
            throw RouteTableError(description: "no JSON")
        }
    }
}

extension RouteTable: Codable {
    private enum CodingKeys: String, CodingKey {
        case storeID = "store"
        case leaderEpoch = "epoch"
        case generation, centers
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(storeID, forKey: .storeID)
        try values.encode(leaderEpoch, forKey: .leaderEpoch)
        try values.encode(generation, forKey: .generation)
        try values.encode(centers, forKey: .centers)
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        storeID = try values.decode(String.self, forKey: .storeID)
        leaderEpoch = try values.decode(UInt64.self, forKey: .leaderEpoch)
        generation = try values.decode(UInt64.self, forKey: .generation)
        centers = try values.decode([RouteEntry].self, forKey: .centers)
        func refuse(_ key: CodingKeys, _ why: String) -> DecodingError {
            .dataCorruptedError(forKey: key, in: values, debugDescription: why)
        }
        guard (1...128).contains(storeID.utf8.count) else { throw refuse(.storeID, "not 1 to 128 bytes") }
        guard centers.count <= Self.centerLimit else {
            throw refuse(.centers, "\(centers.count) centers, at most \(Self.centerLimit)")
        }
        guard Set(centers.map(\.name)).count == centers.count else { throw refuse(.centers, "a name twice") }
    }
}

extension RouteEntry: Codable {
    private enum CodingKeys: String, CodingKey {
        case name, incarnation, sip, state, weight, calls, limit, since, reason, fenced
        case rampElapsed = "ramp_elapsed_ms"
        case rampTotal = "ramp_total_ms"
        case isLastResort = "last_resort"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func refuse(_ key: CodingKeys, _ why: String) -> DecodingError {
            .dataCorruptedError(forKey: key, in: values, debugDescription: why)
        }
        func number(_ key: CodingKeys, upTo most: Int) throws -> Int {
            let value = try values.decode(Int.self, forKey: key)
            guard (0...most).contains(value) else { throw refuse(key, "\(value) is not in 0...\(most)") }
            return value
        }
        name = try values.decode(String.self, forKey: .name)
        guard isNodeName(name) else { throw refuse(.name, "no node name") }
        incarnation = try values.decodeIfPresent(String.self, forKey: .incarnation)
        guard incarnation.map({ (1...32).contains($0.utf8.count) }) ?? true else {
            throw refuse(.incarnation, "not 1 to 32 bytes")
        }
        fenced = try values.decodeIfPresent(String.self, forKey: .fenced)
        guard fenced.map({ (1...32).contains($0.utf8.count) }) ?? true else {
            throw refuse(.fenced, "not 1 to 32 bytes")
        }
        sip = try values.decode([String].self, forKey: .sip).map {
            guard let endpoint = Endpoint($0) else { throw refuse(.sip, "\"\($0.prefix(64))\" is no address:port") }
            return endpoint
        }
        guard (1...RouteTable.endpointLimit).contains(sip.count) else {
            throw refuse(.sip, "not 1 to \(RouteTable.endpointLimit) endpoints")
        }
        state = try values.decode(NodeState.self, forKey: .state)
        weight = try number(.weight, upTo: 1_000)
        calls = try number(.calls, upTo: 1_000_000)
        limit = try number(.limit, upTo: 1_000_000)
        since = try values.decodeIfPresent(WallTime.self, forKey: .since) ?? .epoch
        reason = String((try values.decodeIfPresent(String.self, forKey: .reason) ?? "").prefix(200))
        isLastResort = try values.decodeIfPresent(Bool.self, forKey: .isLastResort) ?? false
        ramp = nil
        if values.contains(.rampTotal) {
            let total = try number(.rampTotal, upTo: 86_400_000)
            let elapsed = try number(.rampElapsed, upTo: 86_400_000)
            ramp = RampUp(elapsed: .milliseconds(elapsed), total: .milliseconds(total))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        try values.encodeIfPresent(incarnation, forKey: .incarnation)
        try values.encode(sip.map(\.description), forKey: .sip)
        try values.encode(state, forKey: .state)
        try values.encode(weight, forKey: .weight)
        try values.encode(calls, forKey: .calls)
        try values.encode(limit, forKey: .limit)
        try values.encode(since, forKey: .since)
        try values.encode(reason, forKey: .reason)
        try values.encodeIfPresent(fenced, forKey: .fenced)
        if isLastResort { try values.encode(true, forKey: .isLastResort) }
        if let ramp {
            try values.encode(ramp.elapsed.wholeMilliseconds, forKey: .rampElapsed)
            try values.encode(ramp.total.wholeMilliseconds, forKey: .rampTotal)
        }
    }
}

extension DecodingError {
    fileprivate var routeTableDescription: String {
        func place(_ context: Context) -> String {
            context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch self {
        case .keyNotFound(let key, let context): return "\(place(context)): no \"\(key.stringValue)\""
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            return "\(place(context)): \(context.debugDescription)"
        @unknown default: return "no route table"
        }
    }
}
