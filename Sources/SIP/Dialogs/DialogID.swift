/// What names a dialog at one of its ends (RFC 3261 §12).
public struct DialogID: Hashable, Codable, Sendable {
    public var callID: String
    public var localTag: String
    /// Empty for a peer of RFC 2543 that sends none (§12.1.1).
    public var remoteTag: String

    public init(callID: String, localTag: String, remoteTag: String) {
        self.callID = callID
        self.localTag = localTag
        self.remoteTag = remoteTag
    }

    /// The dialog that a received request is in; nil when its To has no tag (§12.2.2).
    public init?(ofReceived request: Message) {
        guard let local = request.to.tag else { return nil }
        self.init(callID: request.callID, localTag: local, remoteTag: request.from.tag ?? "")
    }

    /// The dialog that a response to a request of ours is in; nil when its To has no tag.
    public init?(ofResponse response: Message) {
        guard let remote = response.to.tag else { return nil }
        self.init(callID: response.callID, localTag: response.from.tag ?? "", remoteTag: remote)
    }
}
