import Foundation
import HTTPKit
import Logging
import NetworkIO
import Primitives
import Profiles
import Telemetry

#if canImport(Glibc)
    import Glibc
#endif

/// One node as the whole work of a process: logging, HTTP port, pid file and signals around a role.
public enum NodeProcess {
    /// What a role is started with.
    public struct Surroundings: Sendable {
        public var state: StateDirectory
        public var registry: MetricRegistry
        public var log: Logger
    }

    /// Starts a role, serves until SIGTERM or SIGINT, drains and returns. A SIGINT while it drains ends at once.
    public static func run(
        _ common: CommonProfile, role: String, state: StateDirectory,
        start: (Surroundings) async throws(NodeFailure) -> any RunningNode
    ) async throws(NodeFailure) {
        // A peer that closed its connection must not end the process.
        signal(SIGPIPE, SIG_IGN)
        let signals = Signals([SIGTERM, SIGINT, SIGHUP])
        LineLogHandler.install(node: common.name, level: common.logLevel.rawValue)
        let log = Logger(label: "tandem.\(role)")
        try state.prepare()
        try PortCheck.run(common)
        raiseFileLimit(log)
        leaveNoCore()
        let registry = MetricRegistry()
        let node = try await start(Surroundings(state: state, registry: registry, log: log))

        let routes = WebRoutes()
        routes.health { await node.health() }
        routes.metrics(contentType: MetricRegistry.contentType) { registry.render() }
        try node.addRoutes(to: routes)
        let http: HTTPService
        do throws(SocketError) {
            http = try await HTTPService.start(at: common.http, routes: routes, logger: log)
        } catch {
            await node.drainAndStop()
            throw .usage("\(common.name): http: \(error)")
        }
        let pidFile = state.pidFile(of: common.name)
        try? "\(getpid())\n".write(toFile: pidFile, atomically: true, encoding: .utf8)
        try? "\(role) http://\(http.endpoint)\n".write(
            toFile: state.addressFile(of: common.name), atomically: true, encoding: .utf8)
        // Access nodes use no store, whatever the default of their profile is.
        if ["center", "master"].contains(role) {
            do throws(NodeFailure) { try StoreNote(in: state).leave(common.store) } catch {
                log.warning("commands will not find the store by themselves", metadata: ["problem": "\(error)"])
            }
        }
        log.notice(
            "serving", metadata: ["role": "\(role)", "http": "\(http.endpoint)", "version": "\(Release.version)"])

        var draining: Task<Void, Never>?
        var reloading: Task<Void, Never>?
        for await signal in signals.received {
            if signal == SIGHUP {
                LogSink.standardError.reopen()
                // One after another, and beside this loop: reading may take a while, and a signal to end must not wait.
                reloading = Task { [reloading] in
                    await reloading?.value
                    await node.reload()
                }
                continue
            }
            guard draining == nil else {
                // Whoever ends the whole system tells all of its nodes, also one that an operator drains already.
                if signal == SIGTERM { continue }
                log.notice("ended without waiting for calls")
                Self.remove(pidFile)
                exit(0)
            }
            log.notice("told to end", metadata: ["signal": "\(signal)"])
            draining = Task {
                await node.drainAndStop()
                signals.finish()
            }
        }
        await http.stop()
        remove(pidFile)
        log.notice("ended")
    }

    private static func remove(_ pidFile: String) { try? FileManager.default.removeItem(atPath: pidFile) }

    /// A core file would hold keys, and PINs that are being pressed.
    private static func leaveNoCore() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_CORE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return }
        // 0 would hold for files alone, not for a program that takes cores by a pipe; 1 holds for both (core(5)).
        limit.rlim_cur = min(1, limit.rlim_max)
        _ = setrlimit(resource, &limit)
    }

    /// Two sockets a call want more descriptors than a shell gives.
    private static func raiseFileLimit(_ log: Logger) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
            log.warning("the limit of open files could not be raised", metadata: ["limit": "\(limit.rlim_cur)"])
        }
    }
}
