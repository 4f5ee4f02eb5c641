import Foundation
import NodeRuntime
import Profiles
import Session
import Store

#if canImport(Glibc)
    import Glibc
#endif

/// Finds the store that a system uses and asks it. It never makes one: a look at a wrong place must not end well.
struct BankStore {
    /// The profiles that are looked into when nothing else tells.
    static let usualProfiles = "sip-profiles"

    let location: StoreLocation
    let state: StateDirectory

    /// In this order: `store` as it was typed, the centers' and masters' profiles that were named, what a node of the
    /// state directory left there, the usual profiles, and the store of a profile that names none.
    init(store: String?, profiles: String?, state directory: String, usualProfiles: String = Self.usualProfiles) throws
    {
        state = StateDirectory(directory)
        if let store {
            guard let named = StoreLocation(store) else {
                let found = StoreLocation.withoutPassword(store)
                throw CommandFailure.usage("--store: found \"\(found)\", expected \(StoreLocation.expected)")
            }
            location = named
        } else if let profiles {
            location = try Self.location(inProfiles: profiles)
        } else if let noted = StoreNote(in: state).read() {
            location = noted
        } else if FileManager.default.fileExists(atPath: usualProfiles) {
            location = try Self.location(inProfiles: usualProfiles)
        } else {
            location = .sqlite(path: "tandem.sqlite")
        }
    }

    private static func location(inProfiles folder: String) throws -> StoreLocation {
        let found = try ProfileFolder.load(folder).items.compactMap { item -> StoreLocation? in
            switch item.profile {
            case .center, .master: item.profile.common.store
            default: nil
            }
        }
        guard let first = found.first else {
            throw CommandFailure.usage("\(folder): no profile of a center or master; say which store by --store")
        }
        if let other = found.first(where: { $0 != first }) {
            throw CommandFailure.usage("\(folder): names two stores, \(first) and \(other); say which one by --store")
        }
        return first
    }

    func ask(_ request: StoreRequest) async throws -> StoreReply {
        // SQLite cannot tell a file that is away from one behind a closed door, and would make the one that is away.
        if case .sqlite(let path) = location, access(state.resolve(path), R_OK | W_OK) != 0 {
            guard errno == ENOENT || errno == ENOTDIR else {
                throw CommandFailure.failed(
                    "bank: \(state.resolve(path)): \(Self.words(errno)); run it as the user who owns the state directory"
                )
            }
            throw noBank
        }
        let opened = openStore(location, in: state)
        var reply = await opened.submit(request)
        let isEmpty: Bool
        switch reply {
        case .accounts(let rows): isEmpty = rows.isEmpty
        case .audit(let report): isEmpty = report.accounts == 0
        case .transfers([]), .attempts([]):
            // A bank whose customers never moved money is one.
            let accounts = await opened.submit(.accounts(includingBank: false))
            switch accounts {
            case .accounts(let rows): isEmpty = rows.isEmpty
            case .unavailable, .refused:
                reply = accounts
                isEmpty = false
            default: isEmpty = false
            }
        default: isEmpty = false
        }
        await opened.close()
        if case .unavailable(let trouble) = reply {
            throw CommandFailure.failed("bank: the store cannot be used: \(trouble)")
        }
        if case .refused(let reason) = reply {
            throw CommandFailure.failed("bank: the store cannot be read: \(reason)")
        }
        if isEmpty { throw noBank }
        return reply
    }

    private var noBank: CommandFailure {
        let place =
            switch location {
            case .sqlite(let path): "\(state.resolve(path)) is not there or has no accounts"
            case .postgres: "\(location) has no accounts"
            }
        return .failed("bank: no bank here: \(place); name the system's folder by --state, or its store by --store")
    }

    private static func words(_ error: Int32) -> String { String(cString: strerror(error)).lowercased() }
}
