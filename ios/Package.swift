// swift-tools-version:6.0
// The iOS side as a Swift package: the core's C face, its generated Swift, and PairpinKit with all logic.
//
// The generated files (Sources/Pairpin, the header of Sources/PairpinFFI) are made beside the core's build and put
// next to a copy of this package: by `cargo xtask test --layer ios` on Linux, by scripts/xcframework.sh on a Mac.
import PackageDescription

#if os(Linux)
    // The core is the host's own library; the command line says where it is.
    let core: Target = .systemLibrary(name: "PairpinFFI")
    // Tests only: a chip's P-256 in software. On a Mac that is CryptoKit.
    let chip: [Target] = [
        .target(name: "TestChip", path: "Tests/TestChip", linkerSettings: [.linkedLibrary("crypto")])
    ]
    let chipUse: [Target.Dependency] = ["TestChip"]
#else
    let core: Target = .binaryTarget(name: "PairpinFFI", path: "PairpinFFI.xcframework")
    let chip: [Target] = []
    let chipUse: [Target.Dependency] = []
#endif

let package = Package(
    name: "Pairpin",
    defaultLocalization: "en",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [
        .library(name: "PairpinKit", targets: ["PairpinKit", "Pairpin"])
    ],
    targets: [
        core,
        // Generated, and not ours to make strict.
        .target(name: "Pairpin", dependencies: ["PairpinFFI"], swiftSettings: [.swiftLanguageMode(.v5)]),
        .target(name: "PairpinKit", dependencies: ["Pairpin"], resources: [.process("Resources")]),
        .testTarget(name: "PairpinKitTests", dependencies: ["PairpinKit", "Pairpin"] + chipUse),
    ] + chip,
    swiftLanguageModes: [.v6]
)
