/// The whole system in one thread: two access nodes, three centers, two masters, a store with a standby and callers, on
/// a virtual clock and network. Everything random follows from the seed, so a seed replays a run exactly.
///
/// Media are facts (who hears what from where) instead of packets. The master's closing of lost sessions is emulated,
/// because the real one awaits its store.
public enum Simulation {
    /// From a caller's INVITE to the 200 while any center lives that could take the call.
    public static let newCallLimit: Duration = .milliseconds(1_500)

    /// From the loss of a center to the first packet of the next one, as the caller hears it.
    public static let gapLimit: Duration = .milliseconds(1_500)

    /// Silence at the caller when a draining center gives the call away.
    public static let handoverLimit: Duration = .milliseconds(200)

    static let takesOver = true
    static let freezesCenters = true

    public static func run(_ settings: SimulationSettings, library: SpokenLibrary) -> SimulationReport {
        var world = World(settings, library: library)
        return world.run()
    }
}
