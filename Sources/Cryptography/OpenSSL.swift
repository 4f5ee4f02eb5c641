import CCrypto

/// The library as a whole.
enum OpenSSL {
    private static let isPrepared = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

    /// Before anything of it is used. It does not tidy up at the end of the process: threads that compute at that moment
    /// would find it gone.
    static func prepare() {
        // Fails where the machine's configuration of OpenSSL does.
        guard isPrepared else { fatalError("OpenSSL does not start: see its openssl.cnf") }
    }
}
