import Foundation
import Profiles
import Testing

/// The smallest profile of each role.
enum Minimal {
    static let access = """
        role: access
        name: access-1
        sip: {listen: ["127.0.0.1:5060"]}
        http: 127.0.0.1:8060
        centers: [{name: center-a, sip: "127.0.0.1:5081"}]
        """
    static let center = """
        role: center
        name: center-a
        sip: {listen: ["127.0.0.1:5081"]}
        http: 127.0.0.1:8081
        lines: {"9196": {echo: true}}
        media: {ports: 10000-19999}
        """
    static let master = """
        role: master
        name: master-a
        sip: {listen: ["127.0.0.1:5070"]}
        http: 127.0.0.1:8080
        nodes: [{name: center-a, role: center, sip: "127.0.0.1:5081"}]
        """
}

/// The lines that a profile is refused with; empty if it is accepted.
func problems(_ yaml: String) -> [String] {
    do {
        _ = try NodeProfile.decode(yaml: yaml, file: "p.yaml")
        return []
    } catch {
        return error.list.map(\.description)
    }
}

func center(_ yaml: String) throws -> CenterProfile {
    guard case .center(let profile) = try NodeProfile.decode(yaml: yaml, file: "p.yaml") else {
        throw WrongRole()
    }
    return profile
}

func access(_ yaml: String) throws -> AccessProfile {
    guard case .access(let profile) = try NodeProfile.decode(yaml: yaml, file: "p.yaml") else { throw WrongRole() }
    return profile
}

func master(_ yaml: String) throws -> MasterProfile {
    guard case .master(let profile) = try NodeProfile.decode(yaml: yaml, file: "p.yaml") else { throw WrongRole() }
    return profile
}

struct WrongRole: Error {}

/// The root of the checkout.
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
