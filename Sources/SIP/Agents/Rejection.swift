/// A final response that a check of the core chose instead of letting a request through.
public struct Rejection: Equatable, Sendable {
    /// A header to be written into a response.
    public struct Header: Equatable, Sendable {
        public var name: HeaderName
        public var value: String

        public init(_ name: HeaderName, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public var status: Int
    /// Such as Allow, Unsupported or Retry-After.
    public var fields: [Header]

    public init(_ status: Int, headers: [(HeaderName, String)] = []) {
        self.status = status
        fields = headers.map { Header($0.0, $0.1) }
    }

    /// As `MessageWriter` takes them.
    public var headers: [(HeaderName, String)] { fields.map { ($0.name, $0.value) } }
}

extension [Rejection.Header] {
    /// As `MessageWriter` takes them.
    public var pairs: [(HeaderName, String)] { map { ($0.name, $0.value) } }
}
