// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "playhouse-benchmarks",
    dependencies: [
        .package(name: "playhouse", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "rtmp-viewers",
            dependencies: [
                .product(name: "PlayhouseProtocols", package: "playhouse"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
