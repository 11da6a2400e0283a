"""A language model: chat template, greedy or sampled generation as a stream of text, and logits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import onnxruntime_genai as og

from .bundle import Opened, cannot_open
from .chat import Messages, Tools, template_of, with_tools
from .manifest import Refused
from .text import UNFINISHED, StopHolder, Streamer, whole_text


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: greedily at temperature 0, else drawn."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None

    def options(self) -> dict[str, Any]:
        """The search options of GenAI."""
        if self.temperature <= 0:
            return {"do_sample": False}
        chosen: dict[str, Any] = {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p}
        return chosen if self.seed is None else {**chosen, "random_seed": self.seed}


class LlmBundle:
    """An opened language model; not safe for two threads at once.

    Attributes:
        max_length: tokens of prompt and answer together; the key-value cache of a request is at most this long.
        eos_token_ids: the tokens that end an answer.
        window: tokens that a call of a static graph takes; 1 where any number can be read.
    """

    kind: Literal["llm"] = "llm"

    def __init__(self, opened: Opened) -> None:
        contract = opened.contract
        self.opened = opened
        self.max_length = int(contract["max_length"])
        self.vocab_size = int(contract["vocab_size"])
        self.eos_token_ids = frozenset(int(token) for token in contract["eos_token_ids"])
        self.window = _window(opened.model / "genai_config.json")
        self.has_chat_template = bool(contract.get("chat_template_sha256"))
        # GenAI's default is the context length, which it would allocate.
        overlay: dict[str, Any] = {"search": {"max_length": self.max_length}}
        if opened.threads is not None:
            overlay["model"] = {"decoder": {"session_options": {"intra_op_num_threads": opened.threads}}}
        with cannot_open("ONNX Runtime GenAI"):
            config = og.Config(str(opened.model))
            config.overlay(json.dumps(overlay))
            if opened.variant.get("ep", "cpu") == "cpu":
                config.clear_providers()  # a bundle of an accelerator that is run here for a look
            self.model = og.Model(config)
            self.tokenizer = og.Tokenizer(self.model)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text, special tokens in it recognised.

        Raises:
            Refused: the tokenizer has no token for a part of it (the engine would take a wrong one silently).
        """
        ids = [int(token) for token in self.tokenizer.encode(text)]
        if any(token < 0 or token >= self.vocab_size for token in ids):
            raise Refused("the bundle's tokenizer has no token for a part of this text", next="build the bundle again")
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; a broken character becomes U+FFFD."""
        return whole_text(self._engine_decode, ids)

    def streamer(self) -> Streamer:
        """Decodes an answer token by token."""
        return Streamer(self._engine_decode)

    def _engine_decode(self, ids: Sequence[int]) -> str:
        """As `decode`, but it may end at a broken character."""
        return str(self.tokenizer.decode(np.asarray(ids, dtype=np.int32)))

    def render(self, messages: Messages, tools: Tools = ()) -> str:
        """The prompt text of a conversation, by the bundle's own chat template.

        Args:
            messages: [{"role": "system" | "user" | "assistant", "content": text}, ...].
            tools: functions that may be called, [{"type": "function", "function": {"name", "description",
                "parameters": JSON schema}}, ...].

        Raises:
            Refused: the bundle has no template, or the template refuses these messages.
        """
        if not self.has_chat_template:
            raise Refused(
                "the bundle has no chat template",
                next="give the prompt as plain text (edgekit run --raw)",
                code="usage",
            )
        template, given = with_tools(template_of(self.opened.model) or "", messages, tools)
        form = {"template_str": template} if tools else {}
        try:
            return str(self.tokenizer.apply_chat_template(json.dumps(given), add_generation_prompt=True, **form))
        except RuntimeError as error:
            raise Refused(f"the chat template refuses these messages: {_first_line(error)}", code="usage") from None

    def generate(
        self,
        prompt: str | Messages,
        *,
        max_tokens: int = 256,
        sampling: Sampling = Sampling(),
        stop: Sequence[str] = (),
        tools: Tools = (),
        json_schema: Mapping[str, Any] | str | None = None,
    ) -> Generation:
        """Generate an answer, piece by piece.

        Args:
            prompt: a conversation, which goes through the chat template; or plain text, which does not.
            max_tokens: of the answer; the bundle's max_length is a limit too.
            stop: the answer ends before the first of these strings.
            tools: functions that a conversation's answer may call, as `render` takes them.
            json_schema: the answer is JSON that fits this schema.

        Raises:
            Refused: an empty or too long prompt, a schema that is not accepted.
        """
        ids = self.encode(prompt if isinstance(prompt, str) else self.render(prompt, tools))
        generator = self.start(ids, max_tokens, json_schema=json_schema, **sampling.options())
        return Generation(self, generator, ids, max_tokens, stop)

    def start(
        self,
        ids: Sequence[int],
        new_tokens: int,
        *,
        json_schema: Mapping[str, Any] | str | None = None,
        **search: Any,
    ) -> og.Generator:
        """A generator that has read nothing yet, with room for `ids` and `new_tokens` more.

        Raises:
            Refused: no room, no tokens, or a schema that is not accepted.
        """
        if not ids:
            raise Refused("the prompt is empty", next="give a prompt", code="usage")
        if new_tokens < 1:
            raise Refused(f"cannot generate {new_tokens} tokens", next="ask for at least one", code="usage")
        begin = self._filled(len(ids))
        if begin >= self.max_length:
            padded = f" ({begin} in whole windows)" if begin != len(ids) else ""
            raise Refused(
                f"the prompt has {len(ids)} tokens{padded}; the bundle takes {self.max_length}, the answer included",
                next="shorten the prompt, or build the bundle with a larger max_length",
                code="usage",
            )
        params = og.GeneratorParams(self.model)
        if "min_length" in search:
            search["min_length"] += begin - len(ids)
        params.set_search_options(max_length=min(self.max_length, begin + new_tokens), **search)
        try:
            if json_schema is not None:
                text = json_schema if isinstance(json_schema, str) else json.dumps(json_schema)
                params.set_guidance("json_schema", text)
            return og.Generator(self.model, params)
        except RuntimeError as error:
            if json_schema is None:
                raise
            raise Refused(f"the JSON schema is not accepted: {_first_line(error)}", code="usage") from None

    def _filled(self, tokens: int) -> int:
        """A prompt's length once the engine has filled it up to whole windows; it aborts without room for them."""
        return -(-tokens // self.window) * self.window

    def logits(self, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 [len(ids), vocabulary]: what the model expects after each token of a text that begins here."""
        return self.logits_in_steps([ids])

    def logits_in_steps(self, parts: Sequence[Sequence[int]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """As `logits` of the parts joined, read part by part: a part of one token goes the way of decoding.

        A model that keeps only the last token's logits (prune_lm_head) is read token by token.
        """
        whole = [int(token) for part in parts for token in part]
        if any(token < 0 or token >= self.vocab_size for token in whole):
            raise Refused(f"token ids go from 0 to {self.vocab_size - 1}", code="usage")
        if self.window > 1:
            return self._logits_of_windows(whole)
        generator = self.start(whole, 1)
        rows = []
        for at, part in enumerate(parts):
            generator.append_tokens(np.asarray(part, dtype=np.int32))
            values = np.asarray(generator.get_output("logits"), dtype=np.float32)[0]
            if len(values) < len(part):
                return self.logits_in_steps([*parts[:at], *([token] for token in part), *parts[at + 1 :]])
            rows.append(values.copy())
        return np.concatenate(rows)

    def _logits_of_windows(self, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Of a static graph: whole windows are read, and each token behind them is put in its mouth.

        Appended, it would be filled up to a window, whose padding later tokens would take for text.
        """
        generator = self.start(ids, self.window)
        behind = len(ids) // self.window * self.window or len(ids)
        rows = []
        for at in range(0, behind, self.window):
            part = np.asarray(ids[at : min(at + self.window, behind)], dtype=np.int32)
            generator.append_tokens(part)
            rows.append(np.array(generator.get_output("logits"), dtype=np.float32)[0, : len(part)])
        for token in ids[behind:]:
            lowered = np.full(np.asarray(generator.get_logits()).shape, -1e9, np.float32)
            lowered[..., token] = 0
            generator.set_logits(lowered)
            generator.generate_next_token()
            rows.append(np.array(generator.get_logits(), dtype=np.float32).reshape(1, -1))
        return np.concatenate(rows)


class Generation:
    """An iterator of text pieces; whole characters only.

    Attributes:
        prompt_tokens: length of the prompt.
        tokens: the ids generated so far, the end token included.
        reason: why it ended: "eos", "stop" (a stop string), "length" (max_tokens), "max_length" (the bundle's limit).
        first_token_s: when the first token came, by time.perf_counter.
    """

    def __init__(
        self, bundle: LlmBundle, generator: og.Generator, ids: list[int], max_tokens: int, stop: Sequence[str]
    ) -> None:
        self.prompt_tokens = len(ids)
        self.tokens: list[int] = []
        self.reason = ""
        self.first_token_s: float | None = None
        self._pieces = self._run(bundle, generator, ids, max_tokens, StopHolder(stop))

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def __next__(self) -> str:
        return next(self._pieces)

    def _run(
        self, bundle: LlmBundle, generator: og.Generator, ids: list[int], max_tokens: int, holder: StopHolder
    ) -> Iterator[str]:
        generator.append_tokens(np.asarray(ids, dtype=np.int32))
        streamer = bundle.streamer()
        while not self.reason and not generator.is_done():
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            self.tokens.append(token)
            self.first_token_s = self.first_token_s or perf_counter()
            if token in bundle.eos_token_ids:
                self.reason = "eos"
            elif piece := holder.push(streamer.push(token)):
                yield piece
            if holder.stopped:
                self.reason = "stop"
        if rest := holder.push(streamer.finish().removesuffix(UNFINISHED)):
            yield rest
        if holder.stopped:
            self.reason = "stop"
        if rest := holder.finish():
            yield rest
        self.reason = self.reason or ("length" if len(self.tokens) >= max_tokens else "max_length")


def _window(config: Path) -> int:
    """The window of a pipeline of static graphs; 1 for any other model."""
    decoder = json.loads(config.read_text(encoding="utf-8"))["model"].get("decoder", {})
    return max(1, int(decoder.get("sliding_window", {}).get("window_size", 1))) if "pipeline" in decoder else 1


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0][:200]
