/// The whole system in one thread: access, two centers, a master, a store and callers on a virtual clock and network.
/// Everything random follows from the seed, so a seed replays a run exactly.
///
/// Media are facts (who hears what from where) instead of packets. The master's closing of lost sessions is emulated,
/// because the real one awaits its store.
public enum Simulation {
    /// From a caller's INVITE to the 200 while any center lives that could take the call.
    public static let newCallLimit: Duration = .milliseconds(1_500)

    public static func run(_ settings: SimulationSettings, library: SpokenLibrary) -> SimulationReport {
        var world = World(settings, library: library)
        return world.run()
    }
}
