import Primitives

#if canImport(Glibc)
    import Glibc
#endif

extension WallTime {
    /// What the machine's civil clock shows.
    public static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
