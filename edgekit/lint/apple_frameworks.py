"""What App Store Connect asks of frameworks: their Info.plist, their code, and how they lie in an app."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._rule import Fault, Rule

# Empty is as good as missing. macOS and Mac Catalyst name no MinimumOSVersion.
KEYS = ("CFBundleIdentifier", "CFBundleExecutable", "CFBundleVersion", "CFBundleShortVersionString", "MinimumOSVersion")
DEVICE = {"ios", "tvos", "watchos", "visionos"}
KEYS_SOURCE = "https://developer.apple.com/documentation/bundleresources/information-property-list"
TWO_FOLDERS = "https://developer.apple.com/documentation/xcode/embedding-nonstandard-code-structures-in-a-bundle"


def platforms(part: Part) -> set[str]:
    """The systems that an artifact's own code is for, as Mach-O names them."""
    return {code.platform for code in part.slices.get(part.executable, ())}


def _missing_keys(part: Part) -> Iterator[Fault]:
    if not part.plist_path:
        yield Fault("", "it has no Info.plist")
        return
    mac = "/" in part.plist_path
    lacking = [key for key in KEYS if not part.plist.get(key) and not (mac and key == "MinimumOSVersion")]
    if lacking and part.plist_path not in part.unreadable:
        device = platforms(part) & DEVICE or not part.slices
        yield Fault(part.plist_path, f"without {', '.join(lacking)}", None if device else "note")


def _no_platforms(part: Part) -> Iterator[Fault]:
    if part.plist and platforms(part) & DEVICE and not part.plist.get("CFBundleSupportedPlatforms"):
        yield Fault(part.plist_path, "without CFBundleSupportedPlatforms")


def _other_os(part: Part) -> Iterator[Fault]:
    named = str(part.plist.get("MinimumOSVersion", ""))
    for code in part.slices.get(part.executable, ()):
        built = ".".join(map(str, code.min_os))
        if named and code.platform in DEVICE and _version(named) != code.min_os:
            yield Fault(part.plist_path, f"its MinimumOSVersion is {named}, its code for {code.machine} is for {built}")


def _no_code(part: Part) -> Iterator[Fault]:
    if part.executable and part.executable not in part.files.entries:
        yield Fault(part.plist_path, f"its CFBundleExecutable names {part.executable}, which is not there")


def _lost_slices(part: Part) -> Iterator[Fault]:
    libraries = part.plist.get("AvailableLibraries")
    for entry in libraries if isinstance(libraries, list) else ():
        folder = f"{entry.get('LibraryIdentifier')}/{entry.get('LibraryPath')}" if isinstance(entry, dict) else "?"
        inside = any(other.path == "/".join(filter(None, (part.path, folder))) for other in part.whole)
        if not inside and folder not in part.files.entries:
            yield Fault("Info.plist", f"it names {folder}, which is not there")
    if part.plist_path and not libraries:
        yield Fault("Info.plist", "it names no library (AvailableLibraries)")


def _nested(part: Part) -> Iterator[Fault]:
    outer = part.within("framework")
    if outer is not None:
        yield Fault("", f"it lies in {outer.path or 'another framework'}")


def _for_simulators(part: Part) -> Iterator[Fault]:
    in_app = part.kind == "app" or part.within("app") is not None
    machines = sorted({code.machine for codes in part.slices.values() for code in codes if code.machine == "x86_64"})
    simulator = sorted(where for where in platforms(part) if where.endswith("simulator"))
    if in_app and platforms(part) and (simulator or (machines and platforms(part) & DEVICE)):
        yield Fault(part.executable, f"it has code for {' and '.join([*simulator, *machines])}")


RULES = (
    Rule(
        "framework-keys",
        "error",
        "a framework whose Info.plist lacks what App Store Connect asks for: the upload fails",
        "add the keys; MinimumOSVersion is the one of the Mach-O's LC_BUILD_VERSION (onnxruntime#27396)",
        "https://github.com/microsoft/onnxruntime/issues/27396",
        ("framework",),
        _missing_keys,
    ),
    Rule(
        "framework-platforms",
        "warning",
        "a framework for devices that does not name their platform",
        "add CFBundleSupportedPlatforms, as [iPhoneOS]; Xcode does so when it embeds, other tools do not",
        KEYS_SOURCE,
        ("framework",),
        _no_platforms,
    ),
    Rule(
        "framework-min-os",
        "error",
        "a MinimumOSVersion that is not its code's (ITMS-90208)",
        "write the version of the Mach-O's LC_BUILD_VERSION into Info.plist",
        f"{KEYS_SOURCE}/minimumosversion",
        ("framework", "app"),
        _other_os,
    ),
    Rule(
        "framework-executable",
        "error",
        "an Info.plist that names code which is not there",
        "correct CFBundleExecutable, or add the file",
        f"{KEYS_SOURCE}/cfbundleexecutable",
        ("framework", "app"),
        _no_code,
    ),
    Rule(
        "xcframework-libraries",
        "error",
        "an xcframework that names libraries which are not in it",
        "make it anew with xcodebuild -create-xcframework",
        "https://developer.apple.com/documentation/xcode/creating-a-multi-platform-binary-framework-bundle",
        ("xcframework",),
        _lost_slices,
    ),
    Rule(
        "framework-nested",
        "error",
        "a framework in a framework, which the App Store refuses (ITMS-90206)",
        "embed both into the app, side by side",
        TWO_FOLDERS,
        ("framework",),
        _nested,
    ),
    Rule(
        "app-simulator-code",
        "error",
        "code for simulators in an app (ITMS-90087)",
        "embed the xcframework, of which Xcode takes the slice for devices",
        "https://developer.apple.com/documentation/xcode/creating-a-multi-platform-binary-framework-bundle",
        ("framework", "app"),
        _for_simulators,
    ),
)


def _version(text: str) -> tuple[int, int]:
    numbers = [int(word) if word.isascii() and word.isdigit() else 0 for word in text.split(".")[:2]]
    return (numbers[0], numbers[1] if len(numbers) > 1 else 0)
