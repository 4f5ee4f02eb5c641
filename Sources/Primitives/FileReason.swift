import Foundation

/// Why the system refused to read or write a file, as it says itself: `no such file or directory`. Foundation's own
/// sentences name the file once more, or nothing at all.
public func fileReason(_ error: any Error) -> String {
    let error = error as NSError
    let cause = (error.userInfo[NSUnderlyingErrorKey] as? any Error).map { $0 as NSError } ?? error
    if cause.domain == NSPOSIXErrorDomain, let code = Int32(exactly: cause.code) {
        return String(cString: strerror(code)).lowercased()
    }
    guard error.domain == NSCocoaErrorDomain else { return error.localizedDescription }
    switch CocoaError.Code(rawValue: error.code) {
    case .fileNoSuchFile, .fileReadNoSuchFile: return "no such file or directory"
    case .fileReadNoPermission, .fileWriteNoPermission: return "permission denied"
    case .fileReadInapplicableStringEncoding, .fileReadCorruptFile: return "no text in UTF-8"
    case .fileWriteOutOfSpace: return "no space left on device"
    case .fileWriteFileExists: return "file exists"
    case .fileWriteVolumeReadOnly: return "read-only file system"
    default: return error.localizedDescription
    }
}
