import Banking

public typealias PINKeyFileError = KeyFileError

/// The key file of the PINs, outside the database.
public enum PINKeyFile {
    /// Reads the key at `path`, or makes one there. Any number of processes may do this at once: all get one key.
    public static func loadOrCreate(at path: String) throws(PINKeyFileError) -> PINKey {
        let bytes = try KeyFile.loadOrCreate(at: path)
        guard let key = PINKey(bytes: bytes) else {
            throw PINKeyFileError(path: path, problem: "found \(bytes.count) bytes, expected \(PINKey.size)")
        }
        return key
    }
}
