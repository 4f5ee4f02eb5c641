/// What another center needs to go on with a caller's menu: part of the checkpoint. Holds no secret and no digit of a
/// half-entered number.
public struct MenuSnapshot: Hashable, Sendable, Codable {
    public struct PendingOperation: Hashable, Sendable, Codable {
        public var name: String
        public var id: String
        /// The state that reads it back. Nil in checkpoints of releases that did not keep it.
        public var readBack: String?

        public init(name: String, id: String, readBack: String? = nil) {
            self.name = name
            self.id = id
            self.readBack = readBack
        }
    }

    /// The menu's name and content hash: the definition to resume with.
    public var menu: String
    public var hash: String
    public var state: String
    public var language: String
    /// Nil until the bank accepted the caller's PIN.
    public var customer: String?
    public var variables: [String: MenuValue]
    public var noInputs: Int
    public var wrongs: Int
    /// Failed attempts by state, as counted by `retry` branches.
    public var failures: [String: Int]
    /// The state that asked for the login.
    public var wanted: String?
    /// States to return to from included menus, innermost last.
    public var callers: [String]
    /// The last name in the call record's path.
    public var path: String?
    /// The money operation whose read-back the caller has heard or is hearing, or which is running.
    public var pendingOperation: PendingOperation?

    public init(
        menu: String, hash: String, state: String, language: String, customer: String? = nil,
        variables: [String: MenuValue] = [:], noInputs: Int = 0, wrongs: Int = 0, failures: [String: Int] = [:],
        wanted: String? = nil, callers: [String] = [], path: String? = nil,
        pendingOperation: PendingOperation? = nil
    ) {
        self.menu = menu
        self.hash = hash
        self.state = state
        self.language = language
        self.customer = customer
        self.variables = variables
        self.noInputs = noInputs
        self.wrongs = wrongs
        self.failures = failures
        self.wanted = wanted
        self.callers = callers
        self.path = path
        self.pendingOperation = pendingOperation
    }
}
