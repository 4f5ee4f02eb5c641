import HTTPKit
import NetworkIO
import Primitives
import Routing

/// What other masters see: asked only while a verdict waits for a second witness.
struct WitnessDesk: Sendable {
    /// An answer that takes longer comes too late to be of use.
    static let limit: Duration = .milliseconds(500)
    static let path = "/internal/v1/witness"

    /// What looks dead to one master.
    struct Testimony: Codable, Equatable, Sendable {
        var by: String
        var dead: [String]
    }

    /// Where the other masters serve HTTP, by name.
    let masters: [String: Endpoint]
    let token: BearerToken
    let mailbox: Mailbox<MasterMail>
    private let client = HTTPClient()

    init(masters: [String: Endpoint], token: BearerToken, mailbox: Mailbox<MasterMail>) {
        self.masters = masters
        self.token = token
        self.mailbox = mailbox
    }

    func ask() {
        for (name, endpoint) in masters {
            Task {
                guard
                    let answer = try? await client.send(
                        to: endpoint, path: Self.path, token: token, within: Self.limit),
                    answer.status == 200, let testimony = try? answer.decode(Testimony.self), testimony.by == name
                else { return }
                for node in testimony.dead.prefix(RouteTable.centerLimit) {
                    mailbox.post(.event(.witnessed(node: node, by: name)))
                }
            }
        }
    }
}
