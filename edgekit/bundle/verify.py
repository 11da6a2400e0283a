"""Verify a bundle: every changed, missing or extra byte is named, and nothing in it points outside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from edgekit.bundle import code
from edgekit.bundle import files as bundle_files
from edgekit.bundle.files import Files, Problem
from edgekit.bundle.read import REBUILD, is_as_written, is_signature, parse
from edgekit.contract.manifest import NAME, File, Manifest, Role
from edgekit.errors import BundleError
from edgekit.wrappers.python import guard, npz
from edgekit.wrappers.python import kinds as runtime_kinds


def verify(bundle: Path, *, roles: Collection[Role] | None = None, allow_stripped: bool = False) -> list[Problem]:
    """What is wrong with a bundle, a folder or a .zip; an empty list when it is whole.

    Args:
        roles: look only at files of these roles, and neither need nor read the others; None is all.
        allow_stripped: a role or a variant of which no file is there is no problem: an app left it out. One
            variant must be there, what is there is verified, and half a variant is still a problem.

    Raises:
        BundleError: no bundle, or an edgekit.json that is not as it was sealed: it holds its own sha256.
    """
    with bundle_files.opened(bundle) as found:
        return problems(found, parse(found.manifest), roles=roles, allow_stripped=allow_stripped)


def verified(
    bundle: Path, *, roles: Collection[Role] | None = None, allow_stripped: bool = False, trust: bool = False
) -> Manifest:
    """The manifest of a bundle that is whole; arguments as for `verify`.

    Args:
        trust: the runtime that it lists may be any: its user trusts who made it.

    Raises:
        BundleError: it is not; the first problem is named.
    """
    with bundle_files.opened(bundle) as found:
        manifest = parse(found.manifest)
        wrong = problems(found, manifest, roles=roles, allow_stripped=allow_stripped, trust=trust)
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise BundleError(f"{bundle} is not whole: {wrong[0]}{more}", next=REBUILD)
    return manifest


def problems(
    found: Files,
    manifest: Manifest,
    *,
    roles: Collection[Role] | None = None,
    allow_stripped: bool = False,
    trust: bool = False,
) -> list[Problem]:
    """What differs between the files that are there and those of the manifest, sorted by path."""
    wanted = {file.path: file for file in manifest.files if roles is None or file.role in roles}
    if allow_stripped:
        wanted = _kept(wanted, found)
    sizes = {file.path: file.size for file in manifest.files}
    there = sorted(wanted.keys() & found.sizes.keys())
    result = list(found.odd)
    if not is_as_written(found.manifest):
        result.append(Problem(NAME, "changed", "its text is not laid out as it was sealed"))
    result += [Problem(path, "missing") for path in wanted.keys() - found.sizes.keys() - _paths(found.odd)]
    same_size = [path for path in there if found.sizes[path] == wanted[path].size]
    for path in set(there).difference(same_size):
        result.append(Problem(path, "changed", f"{found.sizes[path]} bytes instead of {wanted[path].size}"))
    whole = []
    for path, sha256 in zip(same_size, bundle_files.digests(found, same_size), strict=True):
        if sha256 != wanted[path].sha256:
            result.append(Problem(path, "changed", "its sha256 differs"))
        else:
            whole.append(path)
    for path in whole:
        if path.casefold().endswith(".npz"):
            with found.open(path) as stream:
                result += [Problem(path, "unsafe", why) for why in npz.faults(stream)]
    result += code.unsafe(found, manifest, trust=trust, but=_paths(result))
    result += unsafe(found, manifest, sizes, whole)
    extra = found.sizes.keys() - sizes.keys() - {NAME} - _paths(result)
    result += [Problem(path, "extra") for path in extra if not is_signature(path, found.sizes[path])]
    return sorted(result, key=lambda problem: (problem.path, problem.what))


def unsafe(found: Files, manifest: Manifest, sizes: dict[str, int], whole: Collection[str]) -> Iterator[Problem]:
    """What an engine would open, run or write by the model files, as the runtimes ask too.

    Args:
        sizes: bytes by path of the files that the bundle has.
        whole: those of them that are as they were sealed, so worth looking into.
    """
    here = set(whole)
    kept = {file.variant for file in manifest.files if file.path in here}
    variants = [variant.model_dump() for variant in manifest.variants if variant.name in kept]
    form = runtime_kinds.of(manifest.contract.kind).FORM
    for path, why in guard.faults(sizes, found.open, variants, form, readable=here):
        yield Problem(path, "unsafe", why)


def _paths(found: Iterable[Problem]) -> set[str]:
    return {problem.path for problem in found}


def _kept(wanted: dict[str, File], found: Files) -> dict[str, File]:
    """The wanted files without the roles and variants that are gone as a whole; one variant must be there."""
    kept = {(file.role, file.variant) for path, file in wanted.items() if path in found.sizes}
    if not any(role == "model" for role, _ in kept):  # without a model there is nothing left to be whole
        kept |= {(file.role, file.variant) for file in wanted.values() if file.role == "model"}
    return {path: file for path, file in wanted.items() if (file.role, file.variant) in kept}
