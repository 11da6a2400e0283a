"""A privacy manifest against the required-reason APIs that the code calls."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._rule import Fault, Rule
from edgekit.lint.apple_frameworks import DEVICE, platforms

SOURCE = "https://developer.apple.com/documentation/bundleresources/describing-use-of-required-reason-api"
_PREFIX = "NSPrivacyAccessedAPICategory"
# Category -> the C functions and classes of it, as linkers name them, and the reasons that may be given. Properties of
# Objective-C (systemUptime, activeInputModes) leave no symbol, so those calls are not seen.
CATEGORIES = {
    "FileTimestamp": (
        {
            *("_stat", "_fstat", "_lstat", "_fstatat"),
            *("_getattrlist", "_fgetattrlist", "_getattrlistat", "_getattrlistbulk"),
        },
        {"DDA9.1", "C617.1", "3B52.1", "0A2A.1"},
    ),
    "SystemBootTime": ({"_mach_absolute_time"}, {"35F9.1", "8FFB.1", "3D61.1"}),
    "DiskSpace": ({"_statfs", "_fstatfs", "_statvfs", "_fstatvfs"}, {"85F4.1", "E174.1", "7D9E.1", "B728.1"}),
    "ActiveKeyboards": (set(), {"3EC4.1", "54BD.1"}),
    "UserDefaults": ({"_OBJC_CLASS_$_NSUserDefaults"}, {"CA92.1", "1C8F.1", "C56D.1", "AC6B.1"}),
}


def calls(part: Part) -> dict[str, list[str]]:
    """The required-reason functions that code for devices calls, by category."""
    names = {
        name.partition("$INODE64")[0]
        for code in part.slices.get(part.executable, ())
        if code.platform in DEVICE
        for name in code.uses
    }
    used = {category: sorted(names & symbols) for category, (symbols, _) in CATEGORIES.items()}
    return {category: symbols for category, symbols in used.items() if symbols}


def declared(part: Part) -> dict[str, list[str]]:
    """The reasons that its privacy manifest gives, by category without its prefix."""
    entries = part.privacy.get("NSPrivacyAccessedAPITypes")
    reasons: dict[str, list[str]] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            listed = entry.get("NSPrivacyAccessedAPITypeReasons")
            category = str(entry.get("NSPrivacyAccessedAPIType", "")).removeprefix(_PREFIX)
            reasons.setdefault(category, []).extend(map(str, listed if isinstance(listed, list) else ()))
    return reasons


def _without(part: Part) -> Iterator[Fault]:
    """Code that is linked into the app's own may be declared by the app, so there it is a warning."""
    if not part.privacy_path and (used := calls(part)):
        static = any(code.static for code in part.slices.get(part.executable, ()))
        said = "; ".join(f"{category}: {_spelled(names)}" for category, names in used.items())
        yield Fault("", f"it has no privacy manifest and calls {said}", "warning" if static else None)
    elif not part.privacy_path and platforms(part) & DEVICE:
        yield Fault("", "it has no privacy manifest; it calls nothing that asks for one", "note")


def _undeclared(part: Part) -> Iterator[Fault]:
    for category, names in calls(part).items() if part.privacy else ():
        if category not in declared(part):
            yield Fault(part.privacy_path, f"no {_PREFIX}{category}, and it calls {_spelled(names)}")


def _wrong_reasons(part: Part) -> Iterator[Fault]:
    for category, reasons in declared(part).items():
        known = CATEGORIES.get(category, (set(), set()))[1]
        if category not in CATEGORIES:
            yield Fault(part.privacy_path, f"{_PREFIX}{category} is no category")
        elif not reasons or set(reasons) - known:
            wrong = ", ".join(sorted(set(reasons) - known)) or "none"
            yield Fault(part.privacy_path, f"{_PREFIX}{category} gives the reasons {wrong}, not one of Apple's")


def _tracking(part: Part) -> Iterator[Fault]:
    tracks, domains = part.privacy.get("NSPrivacyTracking"), part.privacy.get("NSPrivacyTrackingDomains")
    if tracks is True and not domains:
        yield Fault(part.privacy_path, "NSPrivacyTracking is true, and NSPrivacyTrackingDomains names nobody")


def _spelled(names: list[str]) -> str:
    """As C spells what linkers name."""
    return ", ".join(name.removeprefix("_OBJC_CLASS_$_").removeprefix("_") for name in names)


RULES = (
    Rule(
        "privacy-manifest",
        "error",
        "code that calls required-reason APIs, without a privacy manifest (ITMS-91053)",
        "add PrivacyInfo.xcprivacy to it; what is linked statically, the app's own may declare",
        SOURCE,
        ("framework", "app"),
        _without,
    ),
    Rule(
        "privacy-undeclared",
        "error",
        "a privacy manifest that leaves out a required-reason API which the code calls (ITMS-91053)",
        "declare the category with the reason that is true",
        SOURCE,
        ("framework", "app"),
        _undeclared,
    ),
    Rule(
        "privacy-reason",
        "error",
        "a privacy manifest with a category or a reason that Apple does not know (ITMS-91055)",
        "take a reason of Apple's list",
        SOURCE,
        ("framework", "app"),
        _wrong_reasons,
    ),
    Rule(
        "privacy-tracking",
        "error",
        "a privacy manifest that says it tracks, and names no domain",
        "name the domains, or set NSPrivacyTracking to false where it does not track",
        "https://developer.apple.com/documentation/bundleresources/privacy-manifest-files",
        ("framework", "app"),
        _tracking,
    ),
)
