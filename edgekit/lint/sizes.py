"""What stores and systems take at most: packs, apps, and memory that an app may map."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._rule import Fault, Rule

GB = 10**9
PLAY_PACK, PLAY_ALL, PLAY_MODULE = 1.5 * GB, 4 * GB, 200 * 10**6
APP_STORE = 4 * GB  # uncompressed
MAPPED = 2 * 2**30  # bytes; what an iOS app maps with certainty without the entitlement
ENTITLEMENT = "com.apple.developer.kernel.extended-virtual-addressing"
PLAY = "https://support.google.com/googleplay/android-developer/answer/9859372"


def _model_bytes(part: Part, system: str) -> dict[str, int]:
    """The bytes of a bundle's model files by path, where it is for this system."""
    manifest = part.bundle
    if manifest is None or manifest.target.os != system:
        return {}
    return {file.path: file.size for file in manifest.files if file.role == "model"}


def _play_file(part: Part) -> Iterator[Fault]:
    for path, size in _model_bytes(part, "android").items():
        if size > PLAY_PACK:
            yield Fault(path, f"it has {size / GB:.2f} GB, a pack takes {PLAY_PACK / GB:g} GB")


def _play_packs(part: Part) -> Iterator[Fault]:
    total = sum(_model_bytes(part, "android").values())
    if total > PLAY_ALL:
        yield Fault("", f"its models have {total / GB:.2f} GB, all packs of an app together take {PLAY_ALL / GB:g} GB")
    elif total > PLAY_PACK:
        packs = int(-(-total // PLAY_PACK))
        yield Fault("", f"its models have {total / GB:.2f} GB, which is {packs} packs in {packs} folders", "warning")


def _play_module(part: Part) -> Iterator[Fault]:
    total = sum(entry.size for entry in part.files.entries.values() if entry.stored)
    if total > PLAY_MODULE:
        most = PLAY_MODULE / 1e6
        yield Fault("", f"its uncompressed files alone have {total / 1e6:.0f} MB, Play downloads {most:.0f}")


def _app_store(part: Part) -> Iterator[Fault]:
    total = sum(entry.size for entry in part.files.entries.values()) if part.kind == "app" else 0
    total += sum(_model_bytes(part, "ios").values())
    if total > APP_STORE:
        yield Fault("", f"it has {total / GB:.2f} GB, an app {APP_STORE / GB:g} GB at most")


def _addressing(part: Part) -> Iterator[Fault]:
    manifest = part.bundle
    if manifest is not None and manifest.target.os == "ios" and manifest.memory.mapped_bytes > MAPPED:
        named = manifest.platform.get("entitlements") or ()
        if not any(ENTITLEMENT in str(word) for word in named):
            size = manifest.memory.mapped_bytes / 2**30
            yield Fault("", f"it maps {size:.2f} GiB of weights, and its platform names no {ENTITLEMENT}")


RULES = (
    Rule(
        "play-file-size",
        "error",
        "a model file that no pack of Play can hold",
        "build the bundle anew: files over 1.4 GB are sharded",
        PLAY,
        ("bundle",),
        _play_file,
    ),
    Rule(
        "play-size",
        "error",
        "a bundle over what Play delivers for an app",
        "several packs: bring the shards together in the app's folder before it is opened; over 4 GB, host it",
        PLAY,
        ("bundle",),
        _play_packs,
    ),
    Rule(
        "play-download",
        "error",
        "an APK over what Play downloads at install",
        "move models into a fast-follow pack",
        PLAY,
        ("apk",),
        _play_module,
    ),
    Rule(
        "app-store-size",
        "error",
        "an app or its model over what the App Store takes",
        "deliver the model as a managed asset pack, or download it at first start",
        "https://developer.apple.com/help/app-store-connect/reference/maximum-build-file-sizes",
        ("app", "bundle"),
        _app_store,
    ),
    Rule(
        "ios-addressing",
        "error",
        "over 2 GiB of mapped weights on iOS without the entitlement for it",
        f"add {ENTITLEMENT} to the app, and to [platform] of the target",
        "https://developer.apple.com/documentation/bundleresources/entitlements/com.apple.developer.kernel.extended-virtual-addressing",
        ("bundle",),
        _addressing,
    ),
)
