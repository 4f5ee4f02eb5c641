import Synchronization

/// Which methods each path is served with, for 405 and its Allow header (RFC 9110 §15.5.6).
final class ServedMethods: Sendable {
    private struct Route {
        var parts: [Substring]
        var method: WebRoutes.Method
    }

    private let routes = Mutex<[Route]>([])

    func add(_ method: WebRoutes.Method, _ path: String) {
        routes.withLock { $0.append(Route(parts: path.split(separator: "/"), method: method)) }
    }

    /// The value of Allow, `GET, HEAD, POST`; empty where nothing is served under the path.
    func methods(for path: String) -> String {
        let parts = path.split(separator: "/")
        let served = routes.withLock { routes in
            Set(routes.filter { Self.matches($0.parts, parts) }.map(\.method.rawValue))
        }
        return (served.contains("GET") ? served.union(["HEAD"]) : served).sorted().joined(separator: ", ")
    }

    /// A part in braces, or a star, stands for any part.
    private static func matches(_ route: [Substring], _ path: [Substring]) -> Bool {
        route.count == path.count
            && zip(route, path).allSatisfy { part, given in part.hasPrefix("{") || part == "*" || part == given }
    }
}
