import CCrypto

/// OpenSSL's libcrypto as a whole.
public enum OpenSSL {
    private static let isPrepared = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

    /// Whether it computes what this module offers; where it does not, the rest of the module ends the process. The
    /// machine's configuration of OpenSSL may ask for a provider that has nothing of it.
    public static var isUsable: Bool {
        guard isPrepared, let digest = EVP_MD_fetch(nil, "SHA256", nil) else { return false }
        EVP_MD_free(digest)
        guard let code = EVP_MAC_fetch(nil, OSSL_MAC_NAME_HMAC, nil) else { return false }
        EVP_MAC_free(code)
        return true
    }

    /// Before anything of it is used. It does not tidy up at the end of the process: threads that compute at that moment
    /// would find it gone.
    static func prepare() {
        guard isPrepared else { fatalError("OpenSSL does not start") }
    }
}
