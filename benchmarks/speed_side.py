"""One engine with one model, asked line by line: the part of speed.py that runs in a process of its own.

    python speed_side.py edgekit BUNDLE THREADS [OVERLAY]     a bundle, by edgekit's own runtime
    python speed_side.py folder FOLDER THREADS [OVERLAY]      a GenAI folder, by the engine alone: no turns
    python speed_side.py llama FILE.gguf THREADS              llama.cpp; needs llama-cpp-python alone

Each line of standard input is ["work", ...]; the answer is a line {"s": seconds, "cpu_s": of all threads, ...}:
prefill TOKENS, decode TOKENS DEPTH, turn5, fill TOKENS (which answers with the memory of the process).
OVERLAY: JSON that is laid over genai_config.json.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

TEXT = (
    "The river rose in the night, and by morning the lower road was gone; nobody in the village had seen it so high. "
)
TURNS = 5
ANSWER = "It had rained for three days in the hills, and the old bridge held back more water than it let through. "
Q8_0 = 8  # GGML_TYPE_Q8_0


def conversation(turns: int) -> str:
    """ChatML of so many questions, all but the last of them answered; a turn has some hundred tokens."""
    asked = [f"<|im_start|>user\n{at}. {TEXT * 2}Why?<|im_end|>\n<|im_start|>assistant\n" for at in range(turns)]
    return f"{ANSWER}<|im_end|>\n".join(asked)


class Edgekit:
    def __init__(self, bundle: str, threads: int, overlay: str) -> None:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        import onnxruntime_genai as og

        from edgekit.wrappers.python import open_bundle

        laid = og.Config.overlay

        def both(config: Any, text: str) -> None:
            laid(config, text)
            laid(config, overlay)

        if overlay:
            og.Config = type("Config", (og.Config,), {"overlay": both})
        self.bundle: Any = open_bundle(bundle, threads=threads)

    def ids(self, tokens: int) -> list[int]:
        tokens_of_text: list[int] = self.bundle.encode(TEXT * (tokens // 10))
        assert len(tokens_of_text) >= tokens
        return tokens_of_text[:tokens]

    def prefill(self, tokens: int) -> float:
        import numpy as np

        ids = self.ids(tokens)
        generator = self.bundle.start(ids, 1, do_sample=False)
        started = time.perf_counter()
        generator.append_tokens(np.array(ids, np.int32))
        generator.generate_next_token()
        return time.perf_counter() - started

    def decode(self, tokens: int, depth: int) -> float:
        import numpy as np

        ids = self.ids(max(depth, 16))
        generator = self.bundle.start(ids, tokens, do_sample=False, min_length=len(ids) + tokens)
        for at in range(0, len(ids), 128):
            generator.append_tokens(np.array(ids[at : at + 128], np.int32))
        generator.generate_next_token()  # from logits that are there
        started = time.perf_counter()
        for _ in range(tokens - 1):
            generator.generate_next_token()
            generator.get_next_tokens()
        return (time.perf_counter() - started) / (tokens - 1) * tokens

    def turn5(self) -> float:
        self.bundle.trim("caches")
        for _ in self.bundle.respond(conversation(TURNS - 1) + ANSWER, max_tokens=1):
            pass
        started = time.perf_counter()
        run = self.bundle.respond(conversation(TURNS), max_tokens=1)
        *_, done = run
        assert done.reused > 100, done
        return time.perf_counter() - started

    def fill(self, tokens: int) -> float:
        return self.decode(8, tokens - 8)


class Folder(Edgekit):
    """In place of a bundle, what of it is asked."""

    def __init__(self, path: str, threads: int, overlay: str) -> None:
        import onnxruntime_genai as og

        config = og.Config(path)
        options = {"intra_op_num_threads": threads}
        config.overlay(json.dumps({"search": {"max_length": 4096}, "model": {"decoder": {"session_options": options}}}))
        config.overlay(overlay or "{}")
        self.engine, self.bundle = og, self
        self.model = og.Model(config)
        self.tokenizer = og.Tokenizer(self.model)

    def encode(self, text: str) -> list[int]:
        return [int(token) for token in self.tokenizer.encode(text)]

    def start(self, ids: list[int], tokens: int, **search: Any) -> Any:
        params = self.engine.GeneratorParams(self.model)
        params.set_search_options(max_length=len(ids) + tokens, **search)
        return self.engine.Generator(self.model, params)


class Llama:
    def __init__(self, path: str, threads: int, overlay: str) -> None:
        import llama_cpp

        eight = {"type_k": Q8_0, "type_v": Q8_0, "flash_attn": True} if overlay == "q8_0" else {}
        shared = {"n_ctx": 4096, "n_batch": 512, "n_ubatch": 512, "verbose": False}
        self.model: Any = llama_cpp.Llama(path, n_threads=threads, n_threads_batch=threads, **shared, **eight)
        self.library = llama_cpp

    def ids(self, tokens: int) -> list[int]:
        tokens_of_text: list[int] = self.model.tokenize((TEXT * (tokens // 10)).encode(), add_bos=False)
        assert len(tokens_of_text) >= tokens
        return tokens_of_text[:tokens]

    def eval(self, ids: list[int]) -> int:
        """Read, and take the likeliest token, without copying logits to Python."""
        self.model.eval(ids)
        row = self.library.llama_get_logits_ith(self.model.ctx, -1)
        import numpy as np

        return int(np.ctypeslib.as_array(row, shape=(self.model.n_vocab(),)).argmax())

    def prefill(self, tokens: int) -> float:
        self.model.reset()
        self.model._ctx.kv_cache_clear()
        ids = self.ids(tokens)
        started = time.perf_counter()
        self.eval(ids)
        return time.perf_counter() - started

    def decode(self, tokens: int, depth: int) -> float:
        self.model.reset()
        self.model._ctx.kv_cache_clear()
        token = self.eval(self.ids(max(depth, 16)))
        started = time.perf_counter()
        for _ in range(tokens - 1):
            token = self.eval([token])
        return (time.perf_counter() - started) / (tokens - 1) * tokens

    def turn5(self) -> float:
        self.model.reset()
        self.model._ctx.kv_cache_clear()

        def first(text: str) -> None:
            next(self.model.generate(self.model.tokenize(text.encode(), add_bos=False, special=True), temp=0.0))

        first(conversation(TURNS - 1) + ANSWER)
        started = time.perf_counter()
        first(conversation(TURNS))  # which reads no prefix again
        return time.perf_counter() - started

    def fill(self, tokens: int) -> float:
        return self.decode(8, tokens - 8)


def memory() -> dict[str, float]:
    """MB of this process: the most that was resident, and what of it is no file's now."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    stated = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith("kB")}
    return {"peak_mb": int(stated["VmHWM"]) / 1000, "anon_mb": int(stated["RssAnon"]) / 1000}


def main() -> None:
    engine, path, threads, *overlay = sys.argv[1:]
    started = time.perf_counter()
    side = {"edgekit": Edgekit, "folder": Folder, "llama": Llama}[engine](path, int(threads), *(overlay or [""]))
    print(json.dumps({"s": time.perf_counter() - started, "cpu_s": time.process_time()}), flush=True)
    for line in sys.stdin:
        work, *sizes = json.loads(line)
        before = time.process_time()
        seconds = getattr(side, work)(*sizes)
        told = {"s": seconds, "cpu_s": time.process_time() - before} | (memory() if work == "fill" else {})
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
