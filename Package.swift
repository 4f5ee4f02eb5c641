// swift-tools-version: 6.1
import PackageDescription

// Arrows point downward only: a target lists what it may import, and nothing below a role knows a role.
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

let values: [Target] = [
    .target(name: "Primitives"),
    .target(name: "StrictYAML", dependencies: [yams]),
    .target(name: "COSIP", linkerSettings: [.linkedLibrary("osipparser2")]),
    .target(name: "SIP", dependencies: ["Primitives", "COSIP"]),
    .target(name: "SDP", dependencies: ["Primitives"]),
    .target(name: "Media", dependencies: ["Primitives", "SDP"]),
    .target(name: "Speech", dependencies: ["StrictYAML"]),
    .target(name: "Menu", dependencies: ["Primitives", "Speech", "StrictYAML"]),
    .target(name: "Banking", dependencies: ["Primitives", crypto]),
    .target(name: "Routing", dependencies: ["Primitives"]),
    .target(name: "Session", dependencies: ["Primitives"]),
    .target(name: "Profiles", dependencies: ["Primitives", "Routing", yams]),
]

let services: [Target] = [
    .target(name: "Store", dependencies: ["Primitives", "Session", "Banking", "Routing", grdb]),
    .target(name: "CDatagram"),
    .target(name: "NetworkIO", dependencies: ["Primitives", "CDatagram", "SIP", nioCore, nioPosix]),
    .target(name: "Telemetry", dependencies: [logging, .product(name: "CoreMetrics", package: "swift-metrics")]),
    .target(name: "MediaPlane", dependencies: ["Primitives", "SDP", "Media", "CDatagram", "NetworkIO"]),
    .target(name: "Prompts", dependencies: ["Primitives", "Speech", "Media", "SDP", "StrictYAML"]),
    .target(
        name: "HTTPKit",
        dependencies: ["Primitives", "NetworkIO", logging, nioCore, nioPosix, hummingbird, hummingbirdCore, nioHTTP1]),
    .target(
        name: "NodeRuntime",
        dependencies: ["Primitives", "Session", "Store", "Banking", "Profiles", "NetworkIO", "HTTPKit", "Telemetry", logging]),
]

let roles: [Target] = [
    .target(
        name: "Center",
        dependencies: [
            "Primitives", "SIP", "SDP", "Media", "Menu", "Speech", "Banking", "Routing", "Session", "Store", "StrictYAML",
            "NetworkIO", "MediaPlane", "Prompts", "Profiles", "NodeRuntime", "Telemetry", "HTTPKit", logging,
        ])
]

let tests: [Target] = []

let package = Package(
    name: "tandem",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: values + services + roles + tests,
    swiftLanguageModes: [.v6]
)
