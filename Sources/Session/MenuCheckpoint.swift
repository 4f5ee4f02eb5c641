import Primitives

/// Where a caller is in a menu. Never holds a digit of a half-entered number: after a takeover the question is asked
/// again.
public struct MenuCheckpoint: Hashable, Sendable, Codable {
    public var menu: String
    /// Content hash of the menu file: the call stays with the version that it began with.
    public var hash: String
    /// As call records name it.
    public var state: String
    /// The menu machine's own snapshot as JSON: what another center's machine resumes from. The other fields are what
    /// the console shows and what survives a change of the machine.
    public var machine: String?
    /// States to return to, outermost first.
    public var stack: [String]
    /// Non-secret variables only.
    public var variables: [String: String]
    public var language: String?
    public var login: LoginCheckpoint?
    /// Failed tries by the state or the counter that the menu names.
    public var retries: [String: Int]
    /// Fixed when the read-back is entered; the operation has not run, or its result is kept by the bank.
    public var pendingOperation: PendingOperation?

    public init(
        menu: String, hash: String, state: String, stack: [String] = [], variables: [String: String] = [:],
        language: String? = nil, login: LoginCheckpoint? = nil, retries: [String: Int] = [:],
        pendingOperation: PendingOperation? = nil, machine: String? = nil
    ) {
        self.menu = menu
        self.hash = hash
        self.state = state
        self.stack = stack
        self.variables = variables
        self.language = language
        self.login = login
        self.retries = retries
        self.pendingOperation = pendingOperation
        self.machine = machine
    }
}

/// A caller who has proved who they are.
public struct LoginCheckpoint: Hashable, Sendable, Codable {
    public var customer: String
    public var expires: WallTime

    public init(customer: String, expires: WallTime) {
        self.customer = customer
        self.expires = expires
    }
}

/// A bank operation that this call has fixed the id of.
public struct PendingOperation: Hashable, Sendable, Codable {
    public enum Phase: String, Sendable, Codable {
        /// Read back, not confirmed.
        case offered
        /// Confirmed and sent to the bank; the result is not known yet.
        case submitted
        /// The bank keeps its result under the id.
        case executed
    }

    public var id: String
    public var phase: Phase

    public init(id: String, phase: Phase) {
        self.id = id
        self.phase = phase
    }
}
