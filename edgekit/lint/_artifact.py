"""What there is to look at: the bundles, packages and frameworks in what the user names, and what their files say."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO, Any, TypeVar
from xml.parsers.expat import ExpatError

from edgekit.bundle.read import parse
from edgekit.contract.manifest import NAME, Manifest
from edgekit.errors import BundleError
from edgekit.lint import _android, _elf, _jar, _macho, _pe
from edgekit.lint._files import MAX_TEXT, Below, Files, Unreadable, inside
from edgekit.lint._report import Kind

T = TypeVar("T")
ARCHIVES = (".aar", ".apk", ".ipa", ".zip")
FOLDERS: dict[str, Kind] = {".xcframework": "xcframework", ".framework": "framework", ".app": "app"}
ABI_FOLDER = re.compile(r"(?:^|/)(?:jni|lib|libs|jniLibs)/([^/]+)/[^/]+\.so$")
LIBRARY = re.compile(r"\.so(\.[0-9.]+)?$")
DEPTH = 2  # archives in archives: an .aar in a .zip in what was given
PRIVACY = "PrivacyInfo.xcprivacy"


class Part:
    """One artifact and its files.

    Attributes:
        kind, path: what it is, and where it lies in what was given.
        files: its own, not those of artifacts in it.
        whole: all artifacts of what was given.
        unreadable: why files could not be read, by path; filled while they are asked for.
    """

    def __init__(self, kind: Kind, path: str, files: Files) -> None:
        self.kind, self.path, self.files = kind, path, files
        self.whole: list[Part] = [self]
        self.unreadable: dict[str, str] = {}

    @cached_property
    def elves(self) -> dict[str, _elf.Elf]:
        """Its ELF libraries by path."""
        return self._all(_elf.read, (path for path in self.files.entries if LIBRARY.search(path)))

    @cached_property
    def android(self) -> dict[str, str]:
        """The ABI of each library that lies in the folder of one, by path."""
        matches = {path: ABI_FOLDER.search(path) for path in self.files.entries}
        return {path: match[1] for path, match in matches.items() if match and match[1] in _elf.ABIS}

    @cached_property
    def programs(self) -> dict[str, _pe.Pe]:
        """Its programs and DLLs of Windows by path."""
        return self._all(_pe.read, (path for path in self.files.entries if path.lower().endswith((".dll", ".exe"))))

    @cached_property
    def slices(self) -> dict[str, tuple[_macho.Slice, ...]]:
        """Its Mach-O code by path: the executable of a framework or an app, and .dylib files."""
        named = [path for path in self.files.entries if path.endswith(".dylib")]
        return self._all(_macho.read, [*named, *([self.executable] if self.executable in self.files.entries else ())])

    @cached_property
    def executable(self) -> str:
        """The path of a framework's or app's code, as its Info.plist names it; empty where it does not."""
        word = self.plist.get("CFBundleExecutable")
        inner = {"Versions": "Versions/A/", "Contents": "Contents/MacOS/"}.get(self.plist_path.partition("/")[0], "")
        return f"{inner}{word}" if self.kind in ("framework", "app") and isinstance(word, str) and word else ""

    @cached_property
    def plist_path(self) -> str:
        """Where its Info.plist lies, which macOS has deeper; empty where there is none."""
        places = ("Info.plist", "Versions/A/Resources/Info.plist", "Contents/Info.plist")
        return next((place for place in places if place in self.files.entries), "")

    @cached_property
    def plist(self) -> dict[str, Any]:
        """Its Info.plist; empty where there is none that can be read."""
        return self._property_list(self.plist_path)

    @cached_property
    def privacy_path(self) -> str:
        """Where its privacy manifest lies; empty where there is none."""
        return next((path for path in self.files.entries if PurePosixPath(path).name == PRIVACY), "")

    @cached_property
    def privacy(self) -> dict[str, Any]:
        """Its privacy manifest; empty where there is none that can be read."""
        return self._property_list(self.privacy_path)

    @cached_property
    def manifest(self) -> _android.Manifest | None:
        """Its AndroidManifest.xml."""
        return self._small("AndroidManifest.xml", _android.parse) if self.kind in ("aar", "apk") else None

    @cached_property
    def bundle(self) -> Manifest | None:
        """Its edgekit.json."""
        return self._small(NAME, parse) if self.kind == "bundle" else None

    @cached_property
    def jars(self) -> dict[str, _jar.Jar]:
        """The classes that it brings, by the path of their .jar."""
        packed = [path for path in self.files.entries if path.endswith(".jar")]
        results: dict[str, _jar.Jar] = {}
        for path in packed:
            try:
                with inside(self.files, path) as view:
                    results[path] = _jar.read(view)
            except Unreadable as error:
                self.unreadable[path] = str(error)
        return results

    def within(self, kind: Kind) -> Part | None:
        """The artifact of a kind that it lies in; None where it lies in none."""
        others = [other for other in self.whole if other is not self and other.kind == kind]
        return next((other for other in others if not other.path or f"{self.path}/".startswith(f"{other.path}/")), None)

    def read_all(self) -> None:
        """Read everything, so that `unreadable` is complete."""
        for name in ("elves", "programs", "slices", "plist", "privacy", "manifest", "bundle", "jars"):
            getattr(self, name)

    def scan(self, path: str, look: Callable[[IO[bytes]], T]) -> T | None:
        """What `look` makes of a file that may be large; None, and unreadable, where it fails."""
        try:
            with self.files.open(path) as stream:
                return look(stream)
        except (Unreadable, BundleError) as error:
            self.unreadable[path] = str(error)
            return None

    def _small(self, path: str, look: Callable[[bytes], T]) -> T | None:
        """What `look` makes of a file that is read whole."""
        entry = self.files.entries.get(path)
        if entry is None or entry.size > MAX_TEXT:
            self.unreadable[path] = "it is missing" if entry is None else f"it is larger than {MAX_TEXT // 2**20} MiB"
            return None
        return self.scan(path, lambda stream: look(stream.read()))

    def _property_list(self, path: str) -> dict[str, Any]:
        return (self._small(path, _property_list) or {}) if path else {}

    def _all(self, look: Callable[[IO[bytes]], T], paths: Iterable[str]) -> dict[str, T]:
        results = {path: self.scan(path, look) for path in paths}
        return {path: result for path, result in results.items() if result is not None}


def _property_list(data: bytes) -> dict[str, Any]:
    """A property list, of text or binary; plistlib refuses entities."""
    try:
        content = plistlib.loads(data)
    except (ExpatError, ValueError, LookupError, OverflowError, RecursionError, AttributeError, TypeError) as error:
        raise Unreadable(f"it is no property list ({str(error)[:80]})") from None
    if not isinstance(content, dict):
        raise Unreadable("it is a property list of another kind")
    return content


def parts(view: Files, stack: ExitStack, name: str, at: str = "", depth: int = 0) -> Iterator[Part]:
    """The artifacts in a view.

    Args:
        stack: keeps the archives in it open.
        name: of the folder or file; its ending may say what it is.
        at: where it lies in what was given.
        depth: how many archives it lies in.
    """
    if "AndroidManifest.xml" in view.entries:
        compiled = any(path in view.entries for path in ("classes.dex", "resources.arsc")) or name.endswith(".apk")
        yield Part("apk" if compiled else "aar", at, view)
        return
    roots = _roots(view, name)
    packed = tuple(path for path in view.entries if path.lower().endswith(ARCHIVES))
    made = []
    for prefix, kind in sorted(roots.items()):
        nested = tuple(other for other in roots if other.startswith(prefix) and other != prefix)
        made.append(Part(kind, _join(at, prefix), Below(view, prefix, (*nested, *packed))))
    made[0].files.unsafe.update(view.unsafe)
    yield from made
    for path in packed:
        try:
            if depth >= DEPTH:
                raise Unreadable(f"it lies in {depth} archives, too deep to look into")
            yield from parts(stack.enter_context(inside(view, path)), stack, path, _join(at, path), depth + 1)
        except Unreadable as error:
            made[0].unreadable[path] = str(error)


def _roots(view: Files, name: str) -> dict[str, Kind]:
    """The folders that ship as a whole, with their last slash; the view's own among them, whatever it is."""
    roots: dict[str, Kind] = {"": FOLDERS.get(PurePosixPath(name).suffix, "folder")}
    for path in view.entries:
        pieces = path.split("/")
        for count, piece in enumerate(pieces[:-1], 1):
            kind = FOLDERS.get(PurePosixPath(piece).suffix)
            if kind is not None:
                roots["/".join(pieces[:count]) + "/"] = kind
        if pieces[-1] == NAME:
            roots["".join(f"{piece}/" for piece in pieces[:-1])] = "bundle"
    return roots


def _join(at: str, path: str) -> str:
    return "/".join(filter(None, (at, path.rstrip("/"))))
