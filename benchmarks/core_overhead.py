"""Seconds a token through the C++ core against a bare loop around the same engine. The aim: its interval ends at 1.02.

Both answer one prompt greedily, in turns, in the order bare, core, core, bare, on one and the same model: a library
that stands before GenAI's tells which one the core has made, for of two models in one process one is 10 % slower by
where its weights came to lie. The bare loop chooses tokens and makes no text of them; the core makes text, looks for
ends, and hands events to another thread. The engine computes on one thread, so CPU seconds are work and no waiting, and
what else the machine does is hardly in them; those of the thread that reads events are not counted, for its work is
Python's. The ratio of wall seconds stands beside it, with whether the machine was quiet.

    python benchmarks/core_overhead.py [BUNDLE] [BLOCKS]
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _common import core, report, smollm2

from edgekit.devices import _runner
from edgekit.verdicts import ab
from edgekit.wrappers.python.machine import Watch

AIM = 1.02
TOKENS = 160
PROMPT = "The bees on the roof of a house in Lisbon need water, flowers and shade. Here is a long list of such flowers:"
GREEDY = {"temperature": 0, "repetition_penalty": 1}
BEFORE_GENAI = """
#include <dlfcn.h>
static void* made;
void* last_model(void) { return made; }
void* OgaCreateModelFromConfig(const void* config, void** model) {
    void* (*real)(const void*, void**) = dlsym(dlopen(GENAI, RTLD_LAZY), "OgaCreateModelFromConfig");
    void* const wrong = real(config, model);
    made = wrong ? 0 : *model;
    return wrong;
}
"""
Times = tuple[float, float]  # CPU and wall seconds; a token's, where they are a result


class Bare:
    """The engine's own loop, through the functions of its C library."""

    def __init__(self, genai: ctypes.CDLL, model: int, max_length: int) -> None:
        self._dll, self._model, self._max_length = genai, ctypes.c_void_p(model), max_length
        self._dll.OgaResultGetError.restype = ctypes.c_char_p
        self._dll.OgaSequencesGetSequenceCount.restype = ctypes.c_size_t
        self._dll.OgaSequencesGetSequenceData.restype = ctypes.POINTER(ctypes.c_int32)
        self._tokenizer, ids = self._made("OgaCreateTokenizer", self._model), self._made("OgaCreateSequences")
        self._call("OgaTokenizerEncode", self._tokenizer, PROMPT.encode(), ids)
        count = self._dll.OgaSequencesGetSequenceCount(ids, ctypes.c_size_t(0))
        self._ids = (ctypes.c_int32 * count)(*self._dll.OgaSequencesGetSequenceData(ids, ctypes.c_size_t(0))[:count])

    def _call(self, name: str, *words: Any) -> None:
        function = getattr(self._dll, name)
        function.restype = ctypes.c_void_p
        if wrong := function(*words):
            raise RuntimeError(self._dll.OgaResultGetError(ctypes.c_void_p(wrong)))

    def _made(self, name: str, *words: Any) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        self._call(name, *words, ctypes.byref(handle))
        return handle

    def answer(self) -> tuple[Times, str]:
        """Seconds a token behind the first, and the text, which is made when the clock has stopped."""
        params = self._made("OgaCreateGeneratorParams", self._model)
        for name, value in (("max_length", self._max_length), ("repetition_penalty", 1)):
            self._call("OgaGeneratorParamsSetSearchNumber", params, name.encode(), ctypes.c_double(value))
        self._call("OgaGeneratorParamsSetSearchBool", params, b"do_sample", ctypes.c_bool(False))
        generator = self._made("OgaCreateGenerator", self._model, params)
        self._call("OgaGenerator_AppendTokens", generator, self._ids, ctypes.c_size_t(len(self._ids)))
        step = self._dll.OgaGenerator_GenerateNextToken
        step.restype = ctypes.c_void_p
        step(generator)
        began = clocks()
        for _ in range(TOKENS - 1):
            step(generator)
        times, text = since(began), self._text(generator)
        self._dll.OgaDestroyGenerator(generator)
        self._dll.OgaDestroyGeneratorParams(params)
        return times, text

    def _text(self, generator: ctypes.c_void_p) -> str:
        data = self._dll.OgaGenerator_GetSequenceData
        data.restype = ctypes.POINTER(ctypes.c_int32)
        begin = len(self._ids)
        ids = (ctypes.c_int32 * TOKENS)(*data(generator, ctypes.c_size_t(0))[begin : begin + TOKENS])
        text = ctypes.c_char_p()
        self._call("OgaTokenizerDecode", self._tokenizer, ids, ctypes.c_size_t(TOKENS), ctypes.byref(text))
        return (text.value or b"").decode()


def clocks(reading: bool = False) -> Times:
    """CPU seconds of this process, but of the thread that reads, and now."""
    return time.process_time() - (time.thread_time() if reading else 0), time.perf_counter()


def since(began: Times, reading: bool = False) -> Times:
    """Seconds a token, of all but the first."""
    now = clocks(reading)
    return (now[0] - began[0]) / (TOKENS - 1), (now[1] - began[1]) / (TOKENS - 1)


def through_core() -> tuple[Times, str]:
    """The same through edgekit.h: from the first token's text to the end."""
    run = OPENED.respond(prompt=PROMPT, max_tokens=TOKENS, **GREEDY)
    while run.next() != abi.TEXT:
        pass
    began = clocks(reading=True)
    run.all()
    times, text = since(began, reading=True), run.text
    assert run.done["tokens"] == TOKENS, run.done
    run.free()
    return times, text


def before_genai(genai: Path, folder: str) -> ctypes.CDLL:
    """The library that the core takes for GenAI; all but one of its functions are GenAI's."""
    made = Path(folder, "libbefore.so")
    Path(folder, "before.c").write_text(BEFORE_GENAI, encoding="utf-8")
    words = ["gcc", "-shared", "-fPIC", f'-DGENAI="{genai}"', f"{folder}/before.c", "-Wl,--no-as-needed", str(genai)]
    subprocess.run([*words, "-ldl", "-o", str(made)], check=True)
    ctypes.CDLL(str(genai))  # it is found by its name when it is there already
    return ctypes.CDLL(str(made))


FOLDER = smollm2()
BLOCKS = int(sys.argv[2]) if len(sys.argv) > 2 else 12
abi, library = core()
engines = {name: next(Path(library.dll._name).parent.glob(f"lib{name}.so*")) for name in _runner.ENGINES}
os.environ["ORT_LIB_PATH"] = str(engines["onnxruntime"])
with tempfile.TemporaryDirectory() as room:
    before = before_genai(engines["onnxruntime-genai"], room)
    version = engines["onnxruntime-genai"].name.partition(".so.")[2]
    OPENED = abi.Bundle(library, FOLDER, threads=1, genai=before._name, genai_version=version)
before.last_model.restype = ctypes.c_void_p
bare = Bare(ctypes.CDLL(str(engines["onnxruntime-genai"])), before.last_model(), OPENED.facts()["max_length"])
same = bare.answer()[1] == through_core()[1]
samples: dict[str, list[float]] = {"bare": [], "core": []}
blocks: list[list[ab.Times]] = [[], []]
watch = Watch()
for _ in range(BLOCKS):
    first, second, third, fourth = bare.answer()[0], through_core()[0], through_core()[0], bare.answer()[0]
    samples["bare"] += [first[0], fourth[0]]
    samples["core"] += [second[0], third[0]]
    for clock, each in enumerate(blocks):
        each.append((first[clock], second[clock], third[clock], fourth[clock]))
watch.lap()
(ratio, low, high), wall = map(ab.interval, blocks)
report(
    "core_overhead",
    {name: [seconds * 1000 for seconds in each] for name, each in samples.items()},
    unit="CPU ms a token",
    ratio=round(ratio, 4),
    interval=[round(low, 4), round(high, 4)],
    wall_ratio_and_interval=[round(each, 4) for each in wall],
    same_text=same,
    aim=AIM,
    reached=high <= AIM,
    beside=watch.report()["other_cores_mean"],
)
