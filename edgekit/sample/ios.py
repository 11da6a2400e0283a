"""iOS: an Xcode project of a SwiftUI app over edgekit's Swift face; Xcode compiles the core in it."""

from __future__ import annotations

from pathlib import Path

from edgekit import files
from edgekit.sample._project import BUNDLE, CHAT, Project, Whole, sources

OS = "ios"
DOES = (CHAT,)
ADVICE = (
    "build a language model; what tensors do on a device, edgekit check --device ios:UDID shows, in any sample's app"
)
_NOT_OF_AN_APP = ("main.cpp", "ort_abi_check.cpp", "edgekit.map")


def project(bundle: Whole) -> Project:
    """The bundle without a runtime for Python, as a folder in the app."""
    core, face = files.resource("wrappers/cpp/src"), files.resource("wrappers/swift")
    parts: dict[str, Path] = {
        f"edgekit/cpp/src/{path.name}": path for path in sorted(core.iterdir()) if path.name not in _NOT_OF_AN_APP
    }
    genai = [package for package in bundle.packages("release-page") if package.name.startswith("onnxruntime-genai")]
    seen = genai[0].last_seen.split()[0] if genai else ""
    config = {
        "IPHONEOS_DEPLOYMENT_TARGET": bundle.manifest.platform.get("os_min", "15.1"),
        "EDGEKIT_GENAI_VERSION": seen,  # of the framework that lies beside the project; it does not tell
    }
    return Project(
        sources={**sources("ios"), **parts, "edgekit/swift/src": face / "src", "edgekit/swift/ios": face / "ios"},
        places={path: f"{BUNDLE}/{path}" for path in bundle.without("runtime")},
        texts={"Bundle.xcconfig": "".join(f"{key} = {value}\n" for key, value in config.items())},
        steps=(
            f"cp -R ONNXRUNTIME-GENAI-{seen}/onnxruntime-genai.xcframework .",
            "brew install nlohmann-json",
            "open Sample.xcodeproj",
        ),
    )
