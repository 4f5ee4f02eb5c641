// swift-tools-version: 6.1
import PackageDescription

// Arrows point downward only: a target lists what it may import, and nothing below a role knows a role.
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

let values: [Target] = [
    .target(name: "Primitives"),
    .target(name: "StrictYAML", dependencies: [yams]),
    .target(name: "COSIP", linkerSettings: [.linkedLibrary("osipparser2")]),
    .target(name: "SIP", dependencies: ["Primitives", "COSIP"]),
    .target(name: "SDP", dependencies: ["Primitives"]),
    .target(name: "Media", dependencies: ["Primitives", "SDP"]),
    .target(name: "Speech", dependencies: ["StrictYAML"]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "Cryptography", dependencies: ["CCrypto"]),
    .target(name: "Menu", dependencies: ["Primitives", "Cryptography", "Speech", "StrictYAML"]),
    .target(name: "Banking", dependencies: ["Primitives", "Cryptography"]),
    .target(name: "Routing", dependencies: ["Primitives"]),
    .target(name: "Session", dependencies: ["Primitives"]),
    .target(name: "Profiles", dependencies: ["Primitives", "Routing", yams]),
]

let services: [Target] = [
    .target(name: "Store", dependencies: ["Primitives", "Session", "Banking", "Routing", grdb]),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .target(
        name: "StorePostgres",
        dependencies: [
            "Primitives", "Session", "Banking", "Routing", "Store",
            .target(name: "CPostgres", condition: .when(traits: ["PostgreSQL"])),
        ]),
    .target(name: "CDatagram"),
    .target(name: "NetworkIO", dependencies: ["Primitives", "CDatagram", "SIP", nioCore, nioPosix]),
    .target(name: "Telemetry", dependencies: [logging, coreMetrics]),
    .target(name: "MediaPlane", dependencies: ["Primitives", "SDP", "Media", "CDatagram", "NetworkIO"]),
    .target(name: "Prompts", dependencies: ["Primitives", "Speech", "Media", "SDP", "StrictYAML"]),
    .target(
        name: "HTTPKit",
        dependencies: [
            "Primitives", "NetworkIO", logging, nioCore, nioPosix, hummingbird, hummingbirdCore, nioHTTP1, lifecycle,
        ]),
    .target(
        name: "NodeRuntime",
        dependencies: [
            "Primitives", "Session", "Store", "StorePostgres", "Banking", "Profiles", "NetworkIO", "HTTPKit",
            "Telemetry", logging,
        ]),
]

let roles: [Target] = [
    .target(
        name: "Access",
        dependencies: [
            "Primitives", "Cryptography", "SIP", "Routing", "Session", "Profiles", "NetworkIO", "HTTPKit",
            "NodeRuntime", "Telemetry", logging,
        ]),
    .target(
        name: "Center",
        dependencies: [
            "Primitives", "SIP", "SDP", "Media", "Menu", "Speech", "Banking", "Routing", "Session", "Store",
            "StrictYAML", "NetworkIO", "MediaPlane", "Prompts", "Profiles", "NodeRuntime", "Telemetry", "HTTPKit",
            logging,
        ]),
    .target(
        name: "Master",
        dependencies: [
            "Primitives", "SIP", "Routing", "Session", "Store", "Profiles", "NetworkIO", "HTTPKit", "NodeRuntime",
            "Telemetry", logging,
        ]),
    .target(name: "Callers", dependencies: ["Primitives", "SIP", "SDP", "Media", "CDatagram", "NetworkIO"]),
    .target(
        name: "Simulation",
        dependencies: [
            "Access", "Center", "Master", "Banking", "Media", "Menu", "Primitives", "Routing", "SDP", "SIP", "Session",
            "Speech", "Store", "StrictYAML",
        ]),
    .executableTarget(name: "tandem-simulate", dependencies: ["Simulation", argumentParser]),
    .executableTarget(
        name: "tandem",
        dependencies: [
            "Access", "Center", "Master", "Callers", "Primitives", "Cryptography", "Profiles", "NodeRuntime", "HTTPKit",
            "Menu", "Speech", "StrictYAML", "Prompts", "Banking", "Store", "Session", "Routing", argumentParser,
        ]),
]

let tests: [Target] = [
    .testTarget(name: "PrimitivesTests", dependencies: ["Primitives"]),
    .testTarget(name: "StrictYAMLTests", dependencies: ["StrictYAML"]),
    .testTarget(name: "SIPTests", dependencies: ["SIP", "Primitives"], exclude: ["Corpus"]),
    .testTarget(name: "SDPTests", dependencies: ["SDP", "Primitives"]),
    .testTarget(name: "MediaTests", dependencies: ["Media", "SDP", "Primitives"]),
    .testTarget(name: "SpeechTests", dependencies: ["Speech", "StrictYAML"]),
    .testTarget(name: "MenuTests", dependencies: ["Menu", "Primitives", "Speech", "StrictYAML"]),
    .testTarget(name: "PromptsTests", dependencies: ["Prompts", "Media", "Speech", "StrictYAML"]),
    .testTarget(name: "CryptographyTests", dependencies: ["Cryptography"]),
    .testTarget(name: "BankingTests", dependencies: ["Banking", "Primitives"]),
    .testTarget(name: "SessionTests", dependencies: ["Session", "Primitives"]),
    .testTarget(
        name: "StoreTests",
        dependencies: ["Store", "StorePostgres", "StoreVictim", "Session", "Banking", "Primitives", "Routing", grdb]),
    // Dies where StoreTests wants it to.
    .executableTarget(
        name: "StoreVictim", dependencies: ["Primitives", "Store", "StorePostgres", "Session", "Banking"],
        path: "Tests/StoreVictim"),
    .testTarget(name: "RoutingTests", dependencies: ["Routing", "Primitives"]),
    .testTarget(name: "ProfilesTests", dependencies: ["Profiles", "Routing", "Primitives", yams]),
    .testTarget(name: "NetworkIOTests", dependencies: ["NetworkIO", "CDatagram", "Primitives", "SIP", nioPosix]),
    .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", logging, coreMetrics]),
    .testTarget(
        name: "HTTPKitTests", dependencies: ["HTTPKit", "Primitives", "NetworkIO", logging, nioCore, nioPosix]),
    .testTarget(
        name: "AccessTests",
        dependencies: [
            "Access", "Primitives", "Routing", "SIP", "Session", "NetworkIO", "HTTPKit", "NodeRuntime",
            "Cryptography", logging,
        ]),
    .testTarget(
        name: "CenterTests",
        dependencies: [
            "Center", "Banking", "Media", "Menu", "Primitives", "Routing", "SDP", "SIP", "Session", "Speech", "Store",
            "HTTPKit", "NodeRuntime", "Profiles", "Telemetry", logging,
        ]),
    .testTarget(name: "NodeRuntimeTests", dependencies: ["NodeRuntime", "Banking"]),
    .testTarget(name: "TandemTests", dependencies: ["tandem", argumentParser]),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation"]),
    .testTarget(
        name: "MasterTests",
        dependencies: [
            "Master", "Primitives", "SIP", "Routing", "Session", "Store", "Profiles", "NetworkIO", "HTTPKit",
            "NodeRuntime", "Telemetry", logging,
        ]),
    .testTarget(
        name: "CallersTests",
        dependencies: ["Callers", "Primitives", "SIP", "SDP", "Media", "CDatagram", "NetworkIO"]),
    .testTarget(
        name: "MediaPlaneTests",
        dependencies: ["MediaPlane", "Media", "SDP", "NetworkIO", "Primitives", "CDatagram"]),
]

let benchmarks: [Target] = [
    .executableTarget(
        name: "MessageBenchmark", dependencies: ["SIP", "Primitives"], path: "Benchmarks/MessageBenchmark"),
    .executableTarget(
        name: "StoreBenchmark", dependencies: ["Primitives", "Store", "StorePostgres", "Session", "Banking"],
        path: "Benchmarks/StoreBenchmark"),
]

// Small generics of the values (timers, tables, random numbers) are specialised in the cores that use them.
for target in values + services + roles where target.type != .system && !["COSIP", "CDatagram"].contains(target.name) {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]
}

let package = Package(
    name: "tandem",
    platforms: [.macOS(.v15)],
    traits: [
        .default(enabledTraits: ["PostgreSQL"]),
        // `swift build --disable-default-traits` needs no libpq.
        .trait(name: "PostgreSQL", description: "Keeps the store in PostgreSQL where a profile says so."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    ],
    targets: values + services + roles + tests + benchmarks,
    swiftLanguageModes: [.v6]
)
