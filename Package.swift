// swift-tools-version: 6.2
import PackageDescription

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioHTTPTypes: [Target.Dependency] = [
    .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
    .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
]
let nioHTTP2: [Target.Dependency] = [
    .product(name: "NIOHTTP2", package: "swift-nio-http2"),
    .product(name: "NIOHPACK", package: "swift-nio-http2"),
]
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")

// The rooms of the house, in the order of docs/architecture.md: each may use only those above it.
let package = Package(
    name: "playhouse",
    products: [
        .executable(name: "playhouse", targets: ["playhouse"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CCrypt"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CSpawn"),
        .systemLibrary(name: "CMaxMindDB"),
        .target(name: "CMappedFile"),
        .target(name: "Basics", dependencies: [nio]),
        .target(name: "Media", dependencies: ["Basics", nio]),
        .target(name: "RTMP", dependencies: ["Basics", "Media", nio, crypto]),
        .target(name: "MPEGTS", dependencies: ["Basics", "Media", nio]),
        .target(name: "FragmentedMP4", dependencies: ["Basics", "Media", nio]),
        .target(name: "HLS", dependencies: ["Basics", "Media", "MPEGTS", "FragmentedMP4", nio]),
        .target(name: "Usher", dependencies: ["Basics", crypto]),
        .target(
            name: "Storage", dependencies: ["Basics", "Usher", "CCrypt", "CMappedFile", "CZlib", crypto, grdb, logging]),
        .target(name: "Live", dependencies: ["Basics", "Media", "RTMP", nio, logging, collections]),
        .target(
            name: "Admission",
            dependencies: [
                "CMaxMindDB", "Basics", "RTMP", "Usher", "Storage", "Live", crypto, nio, nioPosix, logging,
            ]),
        .target(
            name: "TLS", dependencies: ["Basics", "Live", "Admission", nio, nioSSL, nioTLS, logging]),
        .target(
            name: "RTMPServer",
            dependencies: [
                "Basics", "Media", "RTMP", "Usher", "Storage", "Live", "Admission", "TLS", nio, nioPosix, logging,
            ]),
        .target(
            name: "PushPublish",
            dependencies: ["Basics", "Media", "RTMP", "Usher", "Storage", "Live", nio, nioPosix, nioSSL, logging]),
        .target(
            name: "ControlAPI",
            dependencies: [
                "Basics", "Media", "RTMP", "Usher", "Storage", "Live", "Admission", "PushPublish", crypto, nio,
                nioPosix, logging,
            ]),
        .target(
            name: "Delivery",
            dependencies: [
                "CSpawn", "CZlib", "Basics", "Media", "HLS", "Usher", "Storage", "Live", "Admission", "TLS", crypto,
                hummingbird,
                hummingbirdCore, httpTypes, nio, nioHTTP, nioPosix, logging,
            ] + nioHTTPTypes + nioHTTP2,
            // In the program itself, which is installed as one file.
            resources: [.embedInCode("Player/player.html")]),
        .target(name: "Settings", dependencies: ["Basics", "Usher", "Storage", configuration, nio, yams, logging]),
        .target(
            name: "Origin",
            dependencies: [
                "CMalloc", "Basics", "Media", "RTMP", "HLS", "Usher", "Storage", "Live", "Admission", "TLS",
                "RTMPServer",
                "PushPublish", "ControlAPI", "Delivery", "Settings", hummingbird, httpTypes, lifecycle, nio, nioPosix,
                logging,
            ]),
        .target(name: "Load", dependencies: ["Basics", "RTMP", nio, nioPosix, nioSSL]),
        .executableTarget(
            name: "playhouse",
            dependencies: [
                "Basics", "Usher", "Storage", "Admission", "TLS", "ControlAPI", "Settings", "Origin", "Load",
                argumentParser,
                httpClient,
                nio, nioSSL, logging, yams,
            ]),
        // An attempt log of any size, and questions about it.
        .executableTarget(
            name: "attempt-load", dependencies: ["Admission", "Basics", "Storage", "Usher", logging],
            path: "Benchmarks/attempt-load"),
        // Where bytes from outside enter, as functions of one input: for the fuzzer, and for the replay of what it found.
        .target(
            name: "FuzzTargets",
            dependencies: ["Media", "RTMP", "MPEGTS", "ControlAPI", "Delivery", "Settings", "TLS", nio],
            path: "Fuzz/Targets"),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"]),
        // Programs, files and waiting that the tests of several rooms share.
        .target(
            name: "TestSupport", dependencies: ["Basics", "Media", "RTMP", nio, logging], path: "Tests/TestSupport"),
        // Stores that are opened quickly, for the tests of those that use one.
        .target(name: "StoreSupport", dependencies: ["Storage", logging], path: "Tests/StoreSupport"),
        // A client of low-latency HLS that forgives nothing.
        .target(name: "StrictHLSClient", dependencies: ["Load", nio, httpClient], path: "Tests/StrictHLSClient"),
        .testTarget(name: "ArchitectureTests"),
        .testTarget(name: "BasicsTests", dependencies: ["TestSupport", "Basics", nio]),
        .testTarget(name: "MediaTests", dependencies: ["TestSupport", "Media", nio]),
        .testTarget(
            name: "RTMPTests", dependencies: ["TestSupport", "Basics", "RTMP", "Media", nio, crypto],
            exclude: ["Fixtures"]),
        .testTarget(name: "MPEGTSTests", dependencies: ["TestSupport", "Media", "MPEGTS", nio], exclude: ["Fixtures"]),
        .testTarget(
            name: "FragmentedMP4Tests", dependencies: ["TestSupport", "FragmentedMP4", "Media", nio],
            exclude: ["Fixtures"]),
        .testTarget(name: "HLSTests", dependencies: ["TestSupport", "HLS", "Media", nio], exclude: ["Fixtures"]),
        .testTarget(name: "UsherTests", dependencies: ["Basics", "Usher"]),
        .testTarget(
            name: "StorageTests", dependencies: ["TestSupport", "StoreSupport", "Basics", "Storage", "Usher", grdb]),
        .testTarget(
            name: "LiveTests",
            dependencies: ["TestSupport", "Basics", "Live", "Media", "RTMP", nio, nioEmbedded, logging]),
        .testTarget(
            name: "AdmissionTests",
            dependencies: [
                "TestSupport", "StoreSupport", "Basics", "RTMP", "Live", "Admission", "Storage", "Usher", nio, nioPosix,
                logging,
            ]),
        .testTarget(
            name: "TLSTests",
            dependencies: [
                "TestSupport", "Admission", "Basics", "Live", "TLS", nio, nioPosix, nioSSL, nioTLS, logging,
            ]),
        .testTarget(
            name: "RTMPServerTests",
            dependencies: [
                "TestSupport", "StoreSupport",
                "Basics", "RTMPServer", "Admission", "Live", "Media", "RTMP", "Storage", "Usher", nio, nioEmbedded,
                nioPosix, logging,
            ]),
        .testTarget(
            name: "PushPublishTests",
            dependencies: [
                "TestSupport", "Basics", "PushPublish", "Media", "Live", "RTMP", "Storage", "Usher", nio, nioPosix,
                nioEmbedded, nioSSL, logging,
            ]),
        .testTarget(
            name: "ControlAPITests",
            dependencies: [
                "TestSupport", "StoreSupport",
                "Basics", "ControlAPI", "Media", "RTMP", "Usher", "Storage", "Live", "Admission", "PushPublish", crypto,
                nio, nioPosix, nioHTTP, logging,
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "DeliveryTests",
            dependencies: [
                "TestSupport", "StoreSupport",
                "Basics", "Delivery", "Live", "Admission", "Storage", "HLS", "MPEGTS", "RTMP", "Usher", "Media",
                hummingbird, httpTypes, nio, nioEmbedded, nioHTTP, nioPosix, logging,
            ] + nioHTTPTypes + nioHTTP2,
            exclude: ["Fixtures"]),
        .testTarget(name: "SettingsTests", dependencies: ["Basics", "Settings", "Usher", "Storage", logging]),
        .testTarget(
            name: "OriginTests",
            dependencies: [
                "TestSupport", "StoreSupport", "Admission", "Basics", "ControlAPI", "Delivery", "Live", "Origin",
                "PushPublish", "Settings", "Storage", "Usher", httpClient, lifecycle,
                logging, nio, nioEmbedded, nioHTTP, nioPosix,
            ]),
        .testTarget(
            name: "LoadTests", dependencies: ["TestSupport", "StrictHLSClient", "Load", "RTMP", nio, nioPosix]),
        .testTarget(name: "CommandLineTests", dependencies: ["TestSupport", "Storage", "Usher", "playhouse"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "TestSupport", "StrictHLSClient", "Basics", "ControlAPI", "Load", "Media", "RTMP", "Storage", "Usher",
                httpClient, grdb, nio, nioPosix, nioSSL, nioTLS,
            ],
            exclude: ["Fixtures"]),
    ],
    swiftLanguageModes: [.v6]
)

// The fuzzer itself needs a linker with libFuzzer, so only Fuzz/run builds it.
if Context.environment["PLAYHOUSE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Fuzz/Runner",
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
