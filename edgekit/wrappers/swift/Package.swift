// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Edgekit",
    platforms: [.iOS("15.1"), .macOS(.v12)],
    products: [.library(name: "Edgekit", targets: ["Edgekit"])],
    targets: [
        // The core, whose folder lies beside this one; c/json has to have nlohmann-json's headers (README.md).
        .target(name: "CEdgekit", path: "c", cxxSettings: [.headerSearchPath("json"), .define("EDGEKIT_LIBRARY")]),
        .target(
            name: "Edgekit",
            dependencies: ["CEdgekit"],
            path: ".",
            exclude: ["README.md", "c", "extensions", "hello"],
            sources: ["src", "ios"]),
    ],
    cxxLanguageStandard: .cxx17)
