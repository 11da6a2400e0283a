"""The ONNX Runtime that GenAI runs on is found as GenAI finds it, with libraries that are not loaded."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from edgekit.wrappers.python import engines, manifest

GET = ctypes.CFUNCTYPE(ctypes.c_void_p)
pytestmark = pytest.mark.unit

ENTRY = ctypes.CFUNCTYPE(ctypes.c_void_p)


class Machine:
    """Libraries by the name they are loaded by: each is an ONNX Runtime of a version, or (None) has no part of one."""

    def __init__(self, **versions: str | None) -> None:
        self.versions, self.alive = versions, list[object]()

    def load(self, name: str) -> SimpleNamespace:
        key = Path(name).name.replace(".", "_").replace("-", "_")
        if key not in self.versions:
            raise OSError(f"{name} is not there")
        if (version := self.versions[key]) is None:
            return SimpleNamespace()
        text = ctypes.create_string_buffer(version.encode())
        get = GET(lambda: ctypes.addressof(text))
        base = engines._Base(None, ctypes.cast(get, type(engines._Base().get_version)))
        entry = ENTRY(lambda: ctypes.addressof(base))
        self.alive += [text, get, base, entry]
        return SimpleNamespace(OrtGetApiBase=entry)


@pytest.mark.parametrize(
    ("versions", "told", "expected"),
    [
        ({"libonnxruntime_genai_so": "1.26.0", "libonnxruntime_so": "1.32.0"}, "libonnxruntime.so", "1.26.0"),
        ({"libonnxruntime_genai_so": None, "other_so": "1.31.0", "libonnxruntime_so": "1.32.0"}, "other.so", "1.31.0"),
        ({"libonnxruntime_genai_so": None, "libonnxruntime_so_1": "1.32.0"}, "gone.so", "1.32.0"),
        ({"libonnxruntime_genai_so": None}, None, None),
    ],
)
def test_it_is_where_genai_looks_first(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    versions: dict[str, str | None],
    told: str | None,
    expected: str | None,
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", Machine(**versions).load)
    monkeypatch.delenv("ORT_LIB_PATH", raising=False)
    if told:
        monkeypatch.setenv("ORT_LIB_PATH", told)
    (tmp_path / "libonnxruntime-genai.so").touch()
    genai = ModuleType("onnxruntime_genai")
    genai.__file__ = str(tmp_path / "__init__.py")
    assert engines.of_genai(genai) == expected


def test_the_floor_of_a_language_model_is_held_against_genais(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {"onnxruntime": "1.32.0", "onnxruntime_genai": "0.15.2"}

    def engine(package: str) -> SimpleNamespace:
        return SimpleNamespace(__version__=modules[package], get_available_providers=lambda: ["CPUExecutionProvider"])

    monkeypatch.setattr(manifest, "engine", engine)
    monkeypatch.setattr(engines, "of_genai", lambda genai: "1.26.0")
    axes = {"min_onnxruntime": "1.27", "min_onnxruntime_genai": "0.14.1"}
    refusal = manifest.unfit({"name": "portable", "ep": "cpu", "compatibility": axes})
    assert refusal is not None and refusal.axis == "min_onnxruntime" and "here is 1.26.0" in refusal.message
    assert manifest.unfit({"name": "portable", "compatibility": {**axes, "min_onnxruntime": "1.26"}}) is None
    assert manifest.unfit({"name": "portable", "compatibility": {"min_onnxruntime": "1.27"}}) is None  # of tensors
    assert manifest.version("onnxruntime") == "1.32.0" and manifest.version("onnxruntime", in_genai=True) == "1.26.0"
