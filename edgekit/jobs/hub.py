"""The hub job: what a repository of the Hugging Face hub holds at one commit, and its files, whole and checked.

huggingface_hub speaks the protocol (tokens, redirects, ranges). It compares only sizes, so every file is also held
against the digest that the hub's own listing gives: sha256 of a large file (LFS), git's blob id of a small one.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgekit import __version__, progress
from edgekit.errors import SourceError
from edgekit.wrappers.python.protocol import Emit, serve

Json = dict[str, Any]
TIMEOUT = 30.0  # seconds for the listing; downloads have the library's own limit between two reads
CHUNK = 1 << 20  # bytes; the library's own 10 MB are lost with each cut: a bad line would never get on
ATTEMPTS = 5  # without a new byte
AGAIN = "run the same command again: it goes on where it stopped"
LOGIN = "log in (hf auth login) or set HF_TOKEN"
CALLER: Any = {"library_name": "edgekit", "library_version": __version__}
COMMIT = re.compile(r"[0-9a-f]{40}")


def look(request: Json, emit: Emit) -> Json:
    """The commit that a revision is, and the files there: path, size, sha256 (LFS) or blob (git's digest)."""
    from huggingface_hub import HfApi

    repo = request["repo"]
    emit("progress", text=f"asking the hub for {repo}")
    api = HfApi(**CALLER)
    with _explained(repo, request["revision"]):
        try:
            found = api.model_info(repo, revision=request["revision"], files_metadata=True, timeout=TIMEOUT)
            files = [_facts(one) for one in found.siblings or ()]
        except (KeyError, TypeError, AttributeError):  # what the library makes of an answer of another form
            raise _no_hub() from None
        if not isinstance(found.sha, str) or not COMMIT.fullmatch(found.sha):
            raise _no_hub()
    return {"commit": found.sha, "files": files}


def fetch(request: Json, emit: Emit) -> Json:
    """Download request["files"] of a commit into request["folder"], where parts of an earlier try are gone on with."""
    repo, folder, files = request["repo"], Path(request["folder"]), request["files"]
    with _told(repo, folder, sum(file["size"] for file in files), emit):
        for file in files:
            _whole(repo, request["commit"], file, folder)
    return {"files": len(files)}


def _facts(sibling: Any) -> Json:
    """One line of the listing; a size or a digest that is missing is the server's fault."""
    lfs = sibling.lfs
    size = lfs.size if lfs is not None else sibling.size
    digest = lfs.sha256 if lfs is not None else sibling.blob_id
    if not isinstance(size, int) or size < 0 or not isinstance(digest, str):
        raise _no_hub()
    sha256, blob = (digest, "") if lfs is not None else ("", digest)
    return {"path": sibling.rfilename, "size": size, "sha256": sha256, "blob": blob}


def _whole(repo: str, commit: str, file: Json, folder: Path) -> None:
    """One file, with the digest of the listing; one that came out wrong is fetched once more from its first byte."""
    path = folder / file["path"]
    for again in (False, True):
        _download(repo, commit, file["path"], folder, again)
        found = _digest(path, file)
        if found == (file["sha256"] or file["blob"]):
            return
        path.unlink()
    kind = "sha256" if file["sha256"] else "git digest"
    raise SourceError(
        f"{file['path']} of {repo} has the {kind} {found}, the hub says {file['sha256'] or file['blob']}",
        next="a proxy or a mirror changes it, or it was changed: do not use it before you know why",
    )


def _download(repo: str, commit: str, name: str, folder: Path, anew: bool) -> None:
    """Fetch one file; a cut connection is taken up again as long as bytes arrive in between."""
    from huggingface_hub import constants, hf_hub_download
    from requests.exceptions import ChunkedEncodingError

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    held, left = 0, ATTEMPTS
    while True:
        try:
            with _explained(repo, commit):
                hf_hub_download(repo, name, revision=commit, local_dir=folder, force_download=anew, **CALLER)
            return
        except ChunkedEncodingError:
            left = ATTEMPTS if (now := _held(folder)) > held else left - 1
            held = max(held, now)
            if not left:
                raise SourceError(f"the hub cuts the download of {name} of {repo} short", next=AGAIN) from None
            anew = False
        except _Spoilt:
            if anew:
                raise SourceError(f"the hub sends another size of {name} of {repo} than it says", next=AGAIN) from None
            anew = True


class _Spoilt(Exception):
    """What was kept of an earlier try does not fit the file."""


def _digest(path: Path, file: Json) -> str:
    """sha256 of the content, or git's digest of it: sha1 of "blob SIZE", a zero byte and the content."""
    found = hashlib.sha256() if file["sha256"] else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def _held(folder: Path) -> int:
    """Bytes in the folder, those of files that are not whole yet among them."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _told(repo: str, folder: Path, total: int, emit: Emit) -> Iterator[None]:
    """Tell every second how much is there."""

    def tell() -> None:
        emit("progress", text=f"downloading {repo}: {_held(folder) / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    emit("progress", text=f"downloading {repo}: {total / 1e6:,.1f} MB")
    with progress.every(1, tell):  # a file that is renamed between two looks at it is looked at again
        yield


@contextmanager
def _explained(repo: str, revision: str) -> Iterator[None]:
    """What the library raises, as one line. Its own texts are left out: they are long, and name request ids."""
    from huggingface_hub import errors
    from requests.exceptions import ChunkedEncodingError, RequestException

    try:
        yield
    except ChunkedEncodingError:
        raise
    except errors.OfflineModeIsEnabled:
        raise _offline(repo) from None
    except errors.HFValidationError:
        raise SourceError(f"{repo!r} is no name of a repository", next="write hf:org/name") from None
    except errors.FileMetadataError:
        raise _no_hub() from None
    except errors.LocalEntryNotFoundError as error:
        raise _of_cause(error.__cause__, repo, revision) from None
    except RequestException as error:
        raise _of_cause(error, repo, revision) from None
    except OSError as error:
        if error.errno is None and "Consistency check failed" in str(error):
            raise _Spoilt from None
        raise


def _of_cause(error: BaseException | None, repo: str, revision: str) -> Exception:
    """Why a request failed."""
    from huggingface_hub import errors
    from requests.exceptions import InvalidJSONError, RequestException

    response = getattr(error, "response", None)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return _offline(repo)
    if response is None:
        if isinstance(error, RequestException) and not isinstance(error, InvalidJSONError):
            return SourceError(
                f"the hub at {host()} cannot be reached for {repo} ({type(error).__name__})",
                next="check the network and its proxy, or give a folder that you have downloaded",
            )
        return _no_hub()
    if response.status_code == 416:
        return _Spoilt()
    return _of_status(error, response, repo, revision)


def _of_status(error: BaseException | None, response: Any, repo: str, revision: str) -> SourceError:
    from huggingface_hub import errors

    status = response.status_code
    if isinstance(error, errors.GatedRepoError):
        return SourceError(
            f"{repo} is gated: its publisher asks for consent first",
            next=f"agree on https://huggingface.co/{repo}, then {LOGIN} of that account",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return _unknown(repo)
    if isinstance(error, errors.RevisionNotFoundError):
        return SourceError(f"{repo} has no revision {revision!r}", next="name a branch, a tag or a commit of it")
    if isinstance(error, errors.EntryNotFoundError):
        return SourceError(f"{repo} lacks a file that the hub's listing names", next=AGAIN)
    if status == 401 and "Authorization" not in response.request.headers:
        return _unknown(repo)  # the hub tells nobody which private models there are
    if status == 401:
        return SourceError("the hub refuses the token", next="log in again (hf auth login), or correct HF_TOKEN")
    if status == 403:
        return SourceError(
            f"the hub forbids access to {repo} with this token",
            next=f"give the token read access to {repo}, or {LOGIN} of another account",
        )
    if status == 429:
        wait = response.headers.get("Retry-After", "")
        when = f"in {wait} s" if wait.isdigit() and len(wait) < 6 else "in a few minutes"
        return SourceError("the hub limits the rate of requests", next=f"{AGAIN}; try {when}, or {LOGIN}")
    return SourceError(f"the hub answers {status} for {repo}", next=f"{AGAIN}; try in a few minutes")


def _unknown(repo: str) -> SourceError:
    return SourceError(
        f"the hub has no model {repo}, or it is private", next=f"check the name; for a private model {LOGIN}"
    )


def _offline(repo: str) -> SourceError:
    return SourceError(
        f"{repo} is not in the cache, and HF_HUB_OFFLINE forbids to download it",
        next="unset HF_HUB_OFFLINE, or give a folder that you have downloaded",
    )


def _no_hub() -> SourceError:
    return SourceError(
        f"the server {host()} does not answer as the Hugging Face hub does",
        next="check HF_ENDPOINT and the network's proxy",
    )


def host() -> str:
    """The hub's host and port, without the name and password an address may hold."""
    from huggingface_hub import constants

    return urlsplit(constants.ENDPOINT).netloc.rpartition("@")[2]


ACTIONS = {"look": look, "fetch": fetch}

if __name__ == "__main__":
    sys.exit(serve(lambda request, emit: ACTIONS[request["action"]](request, emit), Path(sys.argv[1])))
