"""A device that has a POSIX shell at the end of some line: what ssh: and adb: have in common.

    session:  lock here -> reach it -> lock there, sweep -> look at it -> choose a runtime -> push -> act ... -> sweep

BASE on the device holds lock/, jobs/ (both gone after a session) and bundles/ (kept for the next push, see _push.py).
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any, get_args

from edgekit import console, tools
from edgekit.contract.manifest import Manifest
from edgekit.devices import Finding, Found, Look, Tell, _evidence, _facts, _launch, _push, _runtime
from edgekit.devices._lock import Held, held, held_here
from edgekit.devices._push import Place
from edgekit.devices._reader import DeviceReader
from edgekit.devices._shell import AGAIN, FREE_SPACE, FULL_WORDS, Shell
from edgekit.errors import DeviceError, EdgekitError, ToolMissing, from_child
from edgekit.kinds import Form
from edgekit.reading import Reader
from edgekit.results.measurement import Evidence

Connect = Callable[[], AbstractContextManager[Shell]]
ROOM_MB = 1000  # free on a device: less, and a bundle may not find room
_SENT = ("inputs",)  # request keys that name a file of this machine
_FETCHED = ("outputs", "goldens")  # and those whose file comes back


class RemoteDevice:
    """One device behind a shell.

    Args:
        connect: reaches the device; the line is closed when the block is left.
        find_base: a script that prints the folder edgekit may use there.
    """

    def __init__(self, address: str, connect: Connect, find_base: str) -> None:
        self.address = address
        self._connect, self._find_base = connect, find_base
        self._line: tuple[Shell, Held, str] | None = None  # while a session is open
        self._trees: list[str] = []
        self._known: tuple[_facts.Facts, _evidence.Origin] | None = None

    @contextmanager
    def session(self, bundle: Path, manifest: Manifest, *, trust: bool = False) -> Iterator[RemoteSession]:
        """See Device.session. One device object may hold several sessions at once: two bundles taken in turns."""
        with ExitStack() as stack:
            if self._line is None:
                shell, lock, base = stack.enter_context(self._locked())
                self._line = shell, lock, base
                stack.callback(self._forget)
            shell, lock, base = self._line
            facts, _ = self._look(shell)
            python = _facts.python(shell) if facts.os == "linux" else None
            runtime = _runtime.choose(bundle, manifest, facts, python, trust=trust)
            place = Place(lock, base, self.address)
            with console.step(f"sending the bundle to {self.address}"):
                items = _runtime.bundle_items(bundle, manifest, facts, runtime)
                there = self._push(place, items)
                own = self._push(place, list(runtime.items)) if runtime.items else ""
            yield RemoteSession(place, shell, runtime, there, own)

    def evidence(self, facts: Mapping[str, Any]) -> Evidence:
        """See Device.evidence."""
        return self.origin(facts).evidence

    def origin(self, identified: Mapping[str, Any]) -> _evidence.Origin:
        """What this device is taken for, with the reasons."""
        facts, origin = self._seen()
        return _evidence.agreed(origin, facts, identified.get("device", identified))

    def found(self) -> Found:
        """A line of `edgekit devices` for this device; its state says what is in the way."""
        try:
            with self._reached() as shell:
                facts, origin = self._look(shell)
                shown = {**facts.shown(), "evidence": origin.evidence, "evidence_reasons": list(origin.reasons)}
                python = _facts.python(shell) if facts.os == "linux" else None
                if python is not None and "onnxruntime" in python.have:
                    shown["eps"] = _facts.providers(shell, quote(python.program)) or shown["eps"]
                if python is not None:
                    shown["python"] = {"program": python.program, "version": ".".join(map(str, python.version))}
                    shown["engines"] = dict(python.have)
        except EdgekitError as error:
            return Found(self.address, error.message, error.next, {})
        return Found(self.address, "ready", "", shown)

    def findings(self, look: Look) -> Iterator[Finding]:
        """See Device.findings."""
        line = self.found()
        if line.state != "ready":
            yield Finding("device", self.address, "gap", line.state, line.next, DeviceError.exit_code)
            return
        facts = line.facts
        words = (facts.get("model"), facts.get("os_version"), facts.get("soc"), facts.get("abi"))
        yield Finding("device", self.address, "ok", ", ".join(str(word) for word in words if word))
        yield _finding_of_evidence(str(facts["evidence"]), list(facts["evidence_reasons"]))
        yield from look.fits(str(facts["os"]), str(facts["abi"]), facts.get("ram_mb"))
        for form in get_args(Form):
            what = f"runtime, {form} models"
            try:
                yield Finding("device", what, "ok", self.runtime_for(form))
            except ToolMissing as error:
                if form == "onnx":
                    yield Finding("device", what, "gap", error.message, error.next, error.exit_code)
                else:
                    yield Finding("device", what, "note", error.message, error.next)
        free = self.free_mb()
        if free is not None and free < ROOM_MB:
            step = f"edgekit devices clean {self.address}, or remove other files there"
            yield Finding("device", "free space", "note", f"only {free:,} MB", step)
        elif free is not None:
            yield Finding("device", "free space", "ok", f"{free:,} MB")
        yield from look.sensors(self.reader())

    def runtime_for(self, form: Form) -> str:
        """What would run models of this form here, in words.

        Raises:
            DeviceError: not reachable.
            ToolMissing: nothing would; the next step has the line that helps.
        """
        with self._reached() as shell:
            facts, _ = self._look(shell)
            found = _runtime.pick(facts, _facts.python(shell) if facts.os == "linux" else None, form)
        if isinstance(found, Path):
            return f"edgekit-runner ({found})"
        engines = ", ".join(f"{name.replace('_', '-')} {version}" for name, version in found.have.items())
        return f"Python {'.'.join(map(str, found.version))} ({found.program}) with {engines}"

    def free_mb(self) -> int | None:
        """Megabytes that are free where edgekit puts bundles; None where the device does not tell."""
        with self._reached() as shell:
            answer = shell.run(
                f'base=$({self._find_base}); while [ ! -d "$base" ]; do base=${{base%/*}}; done; df -Pk "$base"'
            )
        free = re.search(r"\s(\d+)\s+\d+%\s", answer.text)
        return int(free[1]) // 1000 if free else None

    def clean(self) -> int:
        """Remove everything edgekit keeps on the device; returns the kilobytes that took.

        Raises:
            DeviceError: not reachable, or in use.
        """
        with self._locked() as (_, lock, base):
            size = lock.must(f"du -sk {quote(base)}", "asking for sizes", timeout=120).split()
            lock.must(
                f'cd {quote(base)} && for f in * .[!.]*; do [ "$f" = lock ] || rm -rf -- "$f"; done',
                "removing what was kept",
                timeout=120,
            )
        return int(size[0]) if size and size[0].isdigit() else 0

    def reader(self) -> Reader:
        """The device's files and programs, for meters; it may be used inside a session and without one."""
        return DeviceReader(self._reached)

    @contextmanager
    def shell(self) -> Iterator[Shell]:
        """The device's shell: the session's while there is one."""
        with self._reached() as shell:
            yield shell

    @contextmanager
    def _reached(self) -> Iterator[Shell]:
        if self._line is not None:
            yield self._line[0]
            return
        with self._connect() as shell:
            yield shell

    @contextmanager
    def _locked(self) -> Iterator[tuple[Shell, Held, str]]:
        with held_here(self.address), self._connect() as shell:
            base = shell.must(self._find_base, "looking for a folder to write to").strip()
            if not base.startswith("/"):
                raise DeviceError(f"{self.address} has no folder to write to", next="give it a home or a TMPDIR")
            with held(shell, base) as lock:
                yield shell, lock, base

    def _forget(self) -> None:
        self._line = None
        self._trees.clear()

    def _push(self, place: Place, items: list[_push.Item]) -> str:
        folder = _push.push(place, items, tell=console.tick, keep=self._trees)
        self._trees.append(folder.rpartition("/")[2])
        return folder

    def _seen(self) -> tuple[_facts.Facts, _evidence.Origin]:
        if self._known is None:
            with self._reached() as shell:
                return self._look(shell)
        return self._known

    def _look(self, shell: Shell) -> tuple[_facts.Facts, _evidence.Origin]:
        if self._known is None:
            facts = _facts.read(shell)
            self._known = facts, _evidence.judge(facts)
        return self._known


class RemoteSession:
    """A bundle on a device; see Session."""

    def __init__(self, place: Place, shell: Shell, runtime: _runtime.Runtime, bundle: str, own: str) -> None:
        self._place, self._shell, self._runtime, self._bundle = place, shell, runtime, bundle
        self._command, self.runtime = runtime.command(bundle, own), runtime.whose
        self._numbers = itertools.count(1)

    def act(self, action: str, request: Mapping[str, Any], *, timeout: float, tell: Tell) -> dict[str, Any]:
        """See Session.act."""
        job = f"{self._place.base}/jobs/{next(self._numbers)}-{secrets.token_hex(4)}"
        full = {"action": action, "bundle": self._bundle, "foreign": self._runtime.foreign, **request}
        try:
            fetched = self._exchange(full, job)
            text = json.dumps(full, ensure_ascii=False).encode()
            script = f"mkdir -p {quote(job)} && cat > {quote(job)}/request.json"
            self._place.ask(script, "writing the request", stdin=text)
            ended = _launch.launch(
                self._shell,
                job,
                [*self._command.argv, f"{job}/request.json"],
                self._command.env,
                timeout=timeout,
                on_event=lambda event: tell(str(event.get("text", ""))),
            )
            outcome = self._outcome(job, ended)
            for local, there in fetched.items():
                content = self._shell.pull(there)
                if content is None:
                    raise DeviceError(f"the runtime on {self._place.address} left no {local.name}", next=AGAIN)
                local.write_bytes(content)
            return outcome
        finally:
            self._remove(job)

    def _exchange(self, full: dict[str, Any], job: str) -> dict[Path, str]:
        """Send the files that a request names and give it their paths on the device; returns what comes back."""
        for key in _SENT:
            if isinstance(full.get(key), str):
                content = Path(full[key]).read_bytes()
                full[key] = f"{job}/{key}.npz"
                script = f"mkdir -p {quote(job)} && cat > {quote(full[key])} && sha256sum < {quote(full[key])}"
                limit = 60 + len(content) / _push.SLOWEST
                told = self._place.ask(script, f"writing {key}", timeout=limit, stdin=content)
                if told.split(" ")[0] != sha256(content).hexdigest():
                    raise DeviceError(f"{key} arrived changed on {self._place.address}", next=AGAIN)
        fetched = {}
        for key in _FETCHED:
            if isinstance(full.get(key), str):
                fetched[Path(full[key])] = f"{job}/{key}.npz"
                full[key] = f"{job}/{key}.npz"
        return fetched

    def _outcome(self, job: str, ended: _launch.Ended) -> dict[str, Any]:
        """What the runtime wrote down, or why it wrote nothing."""
        if ended.why == "gone":
            raise self._shell.lost("")
        raw = self._shell.pull(f"{job}/outcome.json")
        if raw is None:
            raise self._died(job, ended)
        try:
            outcome = json.loads(raw)
        except ValueError:
            outcome = None
        if not isinstance(outcome, dict) and _push.free(self._place) < tools.FULL:
            raise self._full()
        if not isinstance(outcome, dict):
            shown = "".join(one if one.isprintable() else "?" for one in raw.decode(errors="replace")[:80])
            raise DeviceError(
                f"the runtime on {self._place.address} left an outcome that cannot be read: {shown!r}",
                next="run the same command again; if it persists, report it with what --verbose shows",
            )
        if "error" in outcome:
            raise from_child(outcome["error"])
        return outcome

    def _died(self, job: str, ended: _launch.Ended) -> DeviceError:
        log = self._place.ask(f"tail -c 4000 {quote(job)}/log.txt 2> /dev/null; true", "reading the log")
        console.log(log.strip())
        where = self._place.address
        if any(word in log for word in FULL_WORDS) or _push.free(self._place) < tools.FULL:  # no log: no room for one
            return self._full()
        if ended.code == 137 or any(word in log for word in tools.MEMORY_WORDS):
            killer = self._killer(job)
            return DeviceError(
                f"the runtime on {where} was killed{killer or ' (exit 137), most likely for its memory'}",
                next="close other programs there, use a smaller model or recipe, or a device with more memory",
            )
        if ended.code == 126:
            return DeviceError(
                f"{where} does not execute what lies in {self._place.base}: its file system is mounted noexec, or its "
                "rights forbid it",
                next="install the engines for its Python, or move that folder to a file system for programs",
            )
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        last = lines[-1][:300] if lines else "no output"
        return DeviceError(
            f"the runtime on {where} stopped without a result (exit {ended.code}): {last}",
            next="run again with --verbose; if it persists, report it with the log",
        )

    def _full(self) -> DeviceError:
        return DeviceError(f"{self._place.address} is full: the runtime could not write", next=FREE_SPACE)

    def _killer(self, job: str) -> str:
        """Who killed it, where the platform tells: Android's lmkd in logcat, the kernel's OOM killer in dmesg."""
        script = (
            f"read -r pid < {quote(job)}/pid || exit 0\n"
            "{ logcat -d -b system,events,main -t 400 2> /dev/null | grep -iE 'lowmemorykiller|lmkd' ; "
            'dmesg 2> /dev/null | grep -i "killed process"; } | grep -wF -- "$pid" | tail -n 1; true'
        )
        line = self._place.ask(script, "asking who killed it").strip()
        if "lowmemorykiller" in line.lower() or "lmkd" in line.lower():
            return f" by Android's low memory killer ({line[-120:]})"
        return f" by the kernel, out of memory ({line[-120:]})" if line else ""

    def _remove(self, job: str) -> None:
        """A device that has gone cannot be cleaned here: whoever takes its lock next does it."""
        try:
            self._place.ask(f"rm -rf {quote(job)}", "removing a job")
        except DeviceError as error:
            console.detail(f"  {job} was not removed: {error.message}")


def _finding_of_evidence(evidence: str, reasons: list[str]) -> Finding:
    if evidence == "device":
        return Finding("device", "evidence", "ok", f"device: {reasons[0]}")
    told = "; ".join(reasons)
    return Finding("device", "evidence", "note", f"{evidence}: {told}", "latency and power need a real device")
