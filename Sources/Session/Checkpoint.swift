import Foundation
import Primitives

/// Everything another center needs to go on with a session.
public struct Checkpoint: Hashable, Sendable {
    /// The newest format this program writes.
    public static let currentVersion = 1
    /// The formats this program reads; a node registers them, and everybody writes the lowest that all can read.
    public static let readableVersions = 1...1
    /// An encoded checkpoint is at most this many bytes.
    public static let sizeLimit = 256 * 1024

    /// The format it was written in.
    public var version: Int
    /// The caller's dialog first, then an agent's.
    public var dialogs: [DialogCheckpoint]
    public var media: [MediaCheckpoint]
    /// Nil on lines that no menu answers.
    public var menu: MenuCheckpoint?
    /// The CDR so far; its id is the session's.
    public var record: CallRecord

    public init(
        dialogs: [DialogCheckpoint], media: [MediaCheckpoint], menu: MenuCheckpoint?, record: CallRecord,
        version: Int = Checkpoint.currentVersion
    ) {
        self.version = version
        self.dialogs = dialogs
        self.media = media
        self.menu = menu
        self.record = record
    }

    public var session: SessionID { record.id }

    /// Call-ID of the caller's dialog, by which a request inside it finds the session.
    public var callID: String? { dialogs.first { $0.leg == .caller }?.callID }

    /// The row that the API shows for this call while `center` owns it.
    public func liveCall(center: String) -> LiveCall {
        LiveCall(
            id: record.id, line: record.line, from: record.from, center: center, started: record.started,
            menu: menu?.menu, state: menu?.state, language: menu?.language, authenticated: menu?.login != nil,
            takeovers: record.takeovers)
    }
}

/// Why bytes from the store are not a checkpoint that this program may go on with.
public enum CheckpointError: Error, Equatable, CustomStringConvertible {
    /// Written in a format this program does not know; it is refused, not guessed.
    case unknownVersion(Int)
    case malformed(String)
    case tooLarge(Int)

    public var description: String {
        switch self {
        case .unknownVersion(let version):
            "checkpoint format \(version) is unknown here; this program reads \(Checkpoint.readableVersions)"
        case .malformed(let what): "checkpoint cannot be read: \(what)"
        case .tooLarge(let size): "checkpoint of \(size) bytes is over the limit of \(Checkpoint.sizeLimit)"
        }
    }
}

extension Checkpoint: Codable {
    private enum CodingKeys: String, CodingKey {
        case version = "v"
        case dialogs, media, menu, record
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(Int.self, forKey: .version)
        guard Self.readableVersions.contains(version) else { throw CheckpointError.unknownVersion(version) }
        dialogs = try values.decode([DialogCheckpoint].self, forKey: .dialogs)
        media = try values.decode([MediaCheckpoint].self, forKey: .media)
        menu = try values.decodeIfPresent(MenuCheckpoint.self, forKey: .menu)
        record = try values.decode(CallRecord.self, forKey: .record)
    }

    /// The bytes that the store keeps.
    public func encoded() throws(CheckpointError) -> [UInt8] {
        var json = JSONWriter(reserving: 3072)
        write(to: &json)
        guard json.bytes.count <= Self.sizeLimit else { throw .tooLarge(json.bytes.count) }
        return json.bytes
    }

    /// Reads what `encoded` wrote, here or on a node of another release; keys it does not know are ignored, since
    /// changes inside a version only add.
    public init(encoded bytes: some Sequence<UInt8>) throws(CheckpointError) {
        let data = Data(bytes)
        guard data.count <= Self.sizeLimit else { throw .tooLarge(data.count) }
        do {
            self = try JSONDecoder().decode(Checkpoint.self, from: data)
        } catch let error as CheckpointError {
            throw error
        } catch {
            throw .malformed("\(error)")
        }
    }
}
