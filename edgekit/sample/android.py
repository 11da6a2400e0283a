"""Android: a Gradle project in Kotlin with plain Views, over edgekit's Kotlin face; the NDK compiles the core in it."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit import files
from edgekit.errors import BundleError
from edgekit.sample._project import BUNDLE, CHAT, CLASSIFY, Project, Whole, samples, sources
from edgekit.wrappers.python.manifest import abi

OS = "android"
DOES = (CHAT, CLASSIFY)
ADVICE = 'build a language model, or a net whose card has one picture as its input and decode = "classes"'
ABIS = {"aarch64": "arm64-v8a", "x86_64": "x86_64", "armv7": "armeabi-v7a", "x86": "x86"}  # as the NDK names them
ASSETS = "app/src/main/assets"
MANIFEST = "app/src/main/AndroidManifest.xml"
_MARK = "        <!-- of the target -->\n"
# Bytes, as Play counts them (https://developer.android.com/guide/playcore/asset-delivery): what comes with the app, one
# asset pack, all of an app's together.
INSTALL_TIME, PACK, APP = 200_000_000, 1_500_000_000, 4_000_000_000
_PACK_SCRIPT = """plugins {
    id("com.android.asset-pack")
}

assetPack {
    packName.set("%s")
    dynamicDelivery { deliveryType.set("fast-follow") }
}
"""


def project(bundle: Whole) -> Project:
    """The bundle without a runtime for Python: in the app's own assets, or in asset packs.

    Raises:
        BundleError: a file that no asset pack takes.
    """
    packs = packed(bundle.without("runtime"))
    core, face = files.resource("wrappers/cpp"), files.resource("wrappers/kotlin")
    parts = {f"edgekit/cpp/{name}": core / name for name in ("CMakeLists.txt", "src")}
    own = {place: path for place, path in sources("android").items() if place != MANIFEST}
    names = [name for name in packs if name]
    texts = {
        MANIFEST: _manifest(bundle),
        "gradle.properties": _gradle(bundle, names),
        f"{ASSETS}/sample.properties": _properties(bundle),
        f"{ASSETS}/files.txt": "".join(
            f"{name}\t{size}\t{path}\n" for name, paths in packs.items() for path, size in paths.items()
        ),
        **{f"packs/{name}/build.gradle.kts": _PACK_SCRIPT % name for name in names},
    }
    places = {path: f"{_home(name)}/{path}" for name, paths in packs.items() for path in paths}
    total = sum(size for paths in packs.values() for size in paths.values())
    return Project(
        sources={**own, **parts, "edgekit/kotlin/src": face / "src"},
        places=places,
        texts=texts,
        steps=_steps(_genai(bundle), names),
        facts={"packs": names, "fits_play": total <= APP},
        licences=f"{ASSETS}/LICENSES.txt",
    )


def packed(sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The files of each asset pack, in the order of their paths; "" are the app's own assets, where all fit in there.

    Raises:
        BundleError: a file is larger than a pack may be.
    """
    if sum(sizes.values()) <= INSTALL_TIME:
        return {"": dict(sizes)}
    packs: list[dict[str, int]] = []
    for path, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if size > PACK:
            raise BundleError(
                f"{path} has {size / 1e9:.1f} GB, more than Play takes in one asset pack",
                next="build the bundle again: edgekit build cuts weights into files of 1.4 GB",
            )
        pack = next((pack for pack in packs if sum(pack.values()) + size <= PACK), None)
        if pack is None:
            packs.append(pack := {})
        pack[path] = size
    return {"model" + str(number): dict(sorted(pack.items())) for number, pack in enumerate(packs, 1)}


def _home(pack: str) -> str:
    return f"packs/{pack}/src/main/assets/{BUNDLE}" if pack else f"{ASSETS}/{BUNDLE}"


def _genai(bundle: Whole) -> str:
    """The version of GenAI's AAR: that with which the bundle was held to its goldens, else the target's lowest."""
    floors = [
        package.floor for package in bundle.packages("release-page") if package.name.startswith("onnxruntime-genai")
    ]
    return bundle.manifest.tools.get("onnxruntime-genai", floors[0]) if floors else ""


def _gradle(bundle: Whole, packs: list[str]) -> str:
    maven = [f"{package.name}:{package.floor}" for package in bundle.packages("maven")]
    facts = {
        "edgekit.minSdk": bundle.manifest.platform.get("os_min", "24"),
        "edgekit.abi": ",".join(ABIS[abi(name)] for name in bundle.manifest.target.abi),
        "edgekit.maven": ",".join(maven),
        "edgekit.genai": _genai(bundle),
        "edgekit.packs": ",".join(packs),
        "android.useAndroidX": "true",
        "org.gradle.jvmargs": "-Xmx4g -Dfile.encoding=UTF-8",
    }
    return "".join(f"{key}={value}\n" for key, value in facts.items())


def _manifest(bundle: Whole) -> str:
    """With those elements that the target asks for; what it says of attributes, the project does in any case."""
    text = (samples() / "android" / MANIFEST).read_text(encoding="utf-8")
    asked = [line for line in bundle.manifest.platform.get("app_manifest", ()) if line.startswith("<")]
    return text.replace(_MARK, "".join(f"        {line}\n" for line in asked))


def _properties(bundle: Whole) -> str:
    facts = {
        "name": bundle.manifest.name,
        "sha256": bundle.manifest.sha256,
        "does": bundle.does,
        "genai": _genai(bundle),
    }
    return "".join(f"{key}={_escaped(value)}\n" for key, value in facts.items())


def _escaped(value: str) -> str:
    """As java.util.Properties reads it."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"\\{escaped}" if escaped[:1].isspace() else escaped


def _steps(genai: str, packs: list[str]) -> tuple[str, ...]:
    engine = [f"cp ONNXRUNTIME-GENAI.aar app/libs/onnxruntime-genai-{genai}.aar"] if genai else []
    if packs:  # what Play delivers is in no APK
        return (*engine, "gradle bundleDebug", "bundletool install-apks --apks=app.apks")
    return (*engine, "gradle installDebug")
