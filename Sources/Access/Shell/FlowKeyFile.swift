import Cryptography
import NodeRuntime

/// The file that holds the key of flow tokens. Access nodes of one group have the same file.
enum FlowKeyFile {
    /// Reads the key, or makes one.
    static func loadOrMake(at path: String) throws(NodeFailure) -> HMACKey {
        do throws(KeyFileError) {
            return HMACKey(try KeyFile.loadOrCreate(at: path))
        } catch {
            throw .usage("\(error)")
        }
    }
}

extension FlowTokens {
    init(incarnation: String, key: HMACKey) {
        self.init(incarnation: incarnation) { key.code(of: $0) }
    }
}
