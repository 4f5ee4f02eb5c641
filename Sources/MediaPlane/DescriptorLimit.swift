import Glibc

/// How many files and sockets the process may have open. Shells give 1,024, which 500 calls use up.
enum DescriptorLimit {
    /// Raises the soft limit to `wanted` where the hard one allows; what holds then.
    @discardableResult
    static func raise(to wanted: Int) -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return 0 }
        let goal = min(rlim_t(max(wanted, 0)), limit.rlim_max)
        if limit.rlim_cur < goal {
            var raised = limit
            raised.rlim_cur = goal
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
