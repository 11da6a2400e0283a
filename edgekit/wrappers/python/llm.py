"""A language model: chat template, greedy or sampled generation as a stream of text, and logits."""

from __future__ import annotations

import ctypes
import difflib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import onnxruntime_genai as og

from . import functions, speculation, strict
from .answers import Sampling, Splitter
from .bundle import Opened, cannot_open
from .chat import Messages, Tools, render, template_of
from .generation import Generation, Shape
from .manifest import Refused, inside
from .manifest import adapter as adapter_file
from .respond import Run
from .slots import Slots, Start
from .text import StopHolder, Streamer, begun, whole_text

TURN = "edgekit"  # what an assistant says, to see what comes behind it
_CONTROL = re.compile(r"\s*(<[^<>\s]+>)")
BUDGET = 256  # tokens of an answer where nobody says otherwise and the model does not think


class LlmBundle:
    """An opened language model; not safe for two threads at once, but for the `cancel` of a run.

    Attributes:
        max_length: tokens of prompt and answer together; the key-value cache of a request is at most this long.
        eos_token_ids: the tokens that end an answer: the contract's, and that which the chat template ends a turn with.
        prefix: the ids that begin a plain text; the engine adds none.
        reread_beyond: tokens; LongRoPE's factors are others for a text that grows past this, those of its beginning
            too. The engine goes on with the keys that it has, so such a text is read anew once; an answer that is held
            to a schema is not, as the engine would begin the schema anew.
        window: tokens that a call of a static graph takes; 1 where any number can be read.
        marks: the tokens that cut an answer into thought, call and text, by id.
        sampling: how its publisher has answers drawn; greedily where nothing is said.
        budget: tokens of an answer, its thoughts included, where nobody says otherwise.
        adapters: the names of those that can be put on it.
    """

    form: Literal["genai"] = "genai"

    def __init__(self, opened: Opened) -> None:
        contract = opened.contract
        self.opened = opened
        self.max_length = int(contract["max_length"])
        self.vocab_size = int(contract["vocab_size"])
        self.eos_token_ids = frozenset(int(token) for token in contract["eos_token_ids"])
        self.prefix = [int(token) for token in contract.get("prefix_token_ids") or ()]
        beyond = contract.get("reread_beyond")
        self.reread_beyond = None if beyond is None else int(beyond)
        self.window = _window(opened.model / "genai_config.json")
        self.has_chat_template = bool(contract.get("chat_template_sha256"))
        answers: dict[str, Any] = contract.get("answers") or {}
        stated = answers.get("sampling") or {}
        self.marks = {int(token): str(mark) for mark, token in (answers.get("marks") or {}).items()}
        self.special = tuple(answers.get("special") or ())
        self.thinking: dict[str, Any] | None = answers.get("thinking")
        self.calls: str | None = answers.get("calls")
        self.sampling = Sampling.of(stated)
        self.budget = int(stated.get("max_new_tokens") or (self.max_length if self.thinking else BUDGET))
        self.adapters = tuple(str(name) for name in contract.get("adapters") or ())
        self._worn: og.Adapters | None = None  # loaded with the first that is asked for
        self._loaded_adapters: set[str] = set()
        self.slots = Slots(self, opened.slots)
        self._none = Slots(self, 0)
        self._engine: tuple[og.Model, og.Tokenizer] | None = None
        self._load()
        self.eos_token_ids |= self._end_of_turn()

    def _end_of_turn(self) -> frozenset[int]:
        """The control token that the template ends an assistant's turn with; empty where it has none."""
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": TURN}]
        try:
            template = template_of(self.opened.model) if self.has_chat_template else None
            text = render(self.tokenizer, template, turns, answer=False) if template else ""
        except ValueError:
            return frozenset()
        control = _CONTROL.match(text.rpartition(TURN)[2]) if TURN in text else None
        ids = [int(token) for token in self.tokenizer.encode(control[1])] if control else []
        return frozenset(ids if len(ids) == 1 else ())

    def _load(self) -> tuple[og.Model, og.Tokenizer]:
        """The model and its tokenizer, loaded where they are not."""
        if self._engine is None:
            # GenAI's default is the context length, which it would allocate.
            overlay: dict[str, Any] = {"search": {"max_length": self.max_length}}
            if self.opened.threads is not None:
                overlay["model"] = {"decoder": {"session_options": {"intra_op_num_threads": self.opened.threads}}}
            with cannot_open("ONNX Runtime GenAI"):
                config = og.Config(str(self.opened.model))
                config.overlay(json.dumps(overlay))
                if self.opened.variant.get("ep", "cpu") == "cpu":
                    config.clear_providers()  # a bundle of an accelerator that is run here for a look
                model = og.Model(config)
                self._engine = model, og.Tokenizer(model)
        return self._engine

    @property
    def model(self) -> og.Model:
        """The engine's own."""
        return self._load()[0]

    @property
    def tokenizer(self) -> og.Tokenizer:
        """The engine's own."""
        return self._load()[1]

    def trim(self, what: Literal["caches", "weights"]) -> int:
        """Give memory back; what is needed again is loaded by itself. What an answer uses goes when it has ended.

        Returns: bytes that are given back now, as the manifest states them.
        """
        stated: dict[str, Any] = self.opened.manifest.get("memory") or {}
        freed = self.slots.clear() * int(stated.get("kv_bytes_at_max_length", 0))
        if what == "weights" and self._engine is not None:
            self._engine, self._worn = None, None
            self._loaded_adapters.clear()
            freed += int(stated.get("mapped_bytes", 0)) + int(stated.get("prepacked_bytes", 0))
        give_back()
        return freed

    def encode(self, text: str, *, rendered: bool = False) -> list[int]:
        """The token ids of a text, special tokens in it recognised.

        Args:
            rendered: the chat template wrote it, and with it the tokens that it begins with.

        Raises:
            Refused: the tokenizer has no token for a part of it (the engine would take a wrong one silently).
        """
        ids = [int(token) for token in self.tokenizer.encode(text)]
        if any(token < 0 or token >= self.vocab_size for token in ids):
            raise Refused("the bundle's tokenizer has no token for a part of this text", next="build the bundle again")
        return ids if rendered else begun(ids, self.prefix)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; a broken character becomes U+FFFD."""
        return whole_text(self._engine_decode, ids)

    def streamer(self) -> Streamer:
        """Decodes an answer token by token."""
        return Streamer(self._engine_decode)

    def _engine_decode(self, ids: Sequence[int]) -> str:
        """As `decode`, but it may end at a broken character."""
        return str(self.tokenizer.decode(np.asarray(ids, dtype=np.int32)))

    def render(self, messages: Messages, tools: Tools = (), *, think: bool = True) -> str:
        """The prompt text of a conversation, by the bundle's own chat template.

        Args:
            messages: [{"role": "system" | "user" | "assistant", "content": text}, ...]; an answer that called functions
                has "tool_calls" [{"function": {"name", "arguments"}}], and what one said is of the role "tool".
            tools: functions that may be called, [{"type": "function", "function": {"name", "description",
                "parameters": JSON schema}}, ...].
            think: False has the template leave out the thoughts.

        Raises:
            Refused: the bundle has no template, or the template refuses these messages or has thoughts always.
        """
        if not self.has_chat_template:
            raise Refused(
                "the bundle has no chat template",
                next="give the prompt as plain text (edgekit run --raw)",
                code="usage",
            )
        off = None if think else (self.thinking or {}).get("switch")
        if not think and off is None:
            raise Refused("the chat template has no way to leave out thoughts", next="let it think", code="usage")
        template = template_of(self.opened.model) or ""
        if self.calls is not None and "tool_calls" not in template:
            messages = [functions.told(message, self.calls) for message in messages]
        try:
            return render(self.tokenizer, template, messages, tools, off=off)
        except ValueError as error:
            raise Refused(f"the chat template refuses these messages: {_first_line(error)}", code="usage") from None

    def generate(
        self,
        prompt: str | Messages,
        *,
        max_tokens: int | None = None,
        sampling: Sampling | None = None,
        stop: Sequence[str] = (),
        tools: Tools = (),
        call: Literal["auto", "required", "unguided"] = "auto",
        json_schema: Mapping[str, Any] | str | None = None,
        think: bool = True,
        rendered: bool = False,
        adapter: str | None = None,
        speculate: speculation.Speculate | None = None,
    ) -> Generation:
        """Generate an answer, piece by piece; no cache is kept for a next one.

        Args:
            prompt: a conversation, which goes through the chat template; or plain text, which does not.
            max_tokens: of the answer, `budget` by default; the bundle's max_length is a limit too.
            sampling: the bundle's own by default.
            stop: the answer ends before the first of these strings.
            tools: functions that the answer may call, as `render` takes them.
            call: the answer is text or a call that fits a function's schema, a call only, or whatever comes (as for
                "auto", too, where the model thinks first).
            json_schema: the answer is JSON that fits this schema.
            think: as `render` takes it.
            rendered: the prompt is what the chat template wrote.
            adapter: put on for this answer; None answers with the model as it is.
            speculate: how several tokens are guessed and read at once; None makes one after the other.

        Raises:
            Refused: an empty or too long prompt, a schema that is not accepted, an adapter that the bundle has not, an
                answer that cannot be speculated.
        """
        shaped = max_tokens, sampling, stop, tools, call, json_schema, think
        asked = self._asked(prompt, *shaped, rendered, adapter, speculate)
        return Generation(self, self._none, *asked)

    def respond(
        self,
        messages: Messages | str,
        *,
        max_tokens: int | None = None,
        sampling: Sampling | None = None,
        stop: Sequence[str] = (),
        tools: Tools = (),
        call: Literal["auto", "required", "unguided"] = "auto",
        json_schema: Mapping[str, Any] | str | None = None,
        think: bool = True,
        adapter: str | None = None,
        speculate: speculation.Speculate | None = None,
    ) -> Run:
        """Answer a whole conversation, event by event; the longest beginning that a cache holds is not read again.

        An answer with tools, a schema or a seed is read anew, for the engine fixes these for a cache; a cache goes on
        with the adapter that it was read with alone, and speculates if it did. Args and Raises are those of `generate`.
        """
        started_s, loaded = perf_counter(), self._engine is None
        shaped = max_tokens, sampling, stop, tools, call, json_schema, think
        asked = self._asked(messages, *shaped, False, adapter, speculate)
        return Run(Generation(self, self.slots, *asked), started_s, loaded=loaded)

    def _asked(
        self,
        prompt: str | Messages,
        max_tokens: int | None,
        sampling: Sampling | None,
        stop: Sequence[str],
        tools: Tools,
        call: Literal["auto", "required", "unguided"],
        json_schema: Mapping[str, Any] | str | None,
        think: bool,
        rendered: bool,
        adapter: str | None,
        speculate: speculation.Speculate | None,
    ) -> tuple[Start, Shape]:
        """What is asked of a cache, and how the answer is cut."""
        fixed: dict[str, Any] = {} if adapter is None else {"adapter": self._known(adapter)}
        text = prompt if isinstance(prompt, str) else self.render(prompt, tools, think=think)
        ids = self.encode(text, rendered=rendered or not isinstance(prompt, str))
        form = self.calls or "json" if tools and json_schema is None else None
        guidance: dict[str, Any] = {} if json_schema is None else {"json_schema": json_schema}
        thinks = self.thinking is not None and think and call == "auto"  # a grammar would leave no room for it
        if form is not None and call != "unguided" and not thinks:
            guidance = {"grammar": functions.grammar(form, tools, self.special, required=call == "required")}
        drawn = sampling or self.sampling
        if speculate is not None:
            speculation.require(speculate, self, ids, max_tokens or self.budget, drawn)
            fixed[speculation.NAME] = speculate
        start = Start(ids, max_tokens or self.budget, drawn.options() | fixed, guidance)
        return start, Shape(StopHolder(stop), self._splitter(text, guided=bool(guidance)), form, drawn.reach)

    def _splitter(self, prompt: str, *, guided: bool) -> Splitter:
        """What cuts the answer to a prompt; a guided one has no thoughts."""
        if self.thinking is None or guided:
            return Splitter()
        begin, end = str(self.thinking["begin"]), str(self.thinking["end"])
        inside = prompt.rstrip().endswith(begin)
        by_tokens = {begin, end} <= set(self.marks.values())
        return Splitter(inside=inside) if by_tokens else Splitter(begin, end, inside=inside)

    def crosses(self, before: int, after: int) -> bool:
        """Whether a text of `before` tokens that grows to `after` must be read anew."""
        return self.reread_beyond is not None and self.window == 1 and 0 < before <= self.reread_beyond < after

    def start(
        self,
        ids: Sequence[int],
        new_tokens: int,
        *,
        json_schema: Mapping[str, Any] | str | None = None,
        grammar: str | None = None,
        adapter: str | None = None,
        speculate: speculation.Speculate | None = None,
        **search: Any,
    ) -> og.Generator:
        """A generator that has read nothing yet, with room for `ids` and `new_tokens` more.

        Raises:
            Refused: no room, no tokens, a schema that is not accepted, or an adapter that the bundle has not.
        """
        self.require_room(ids, new_tokens)
        begin = self._filled(len(ids))
        params = og.GeneratorParams(self.model)
        if "min_length" in search:
            search["min_length"] += begin - len(ids)
        if "top_k" in search:  # of more than there are the engine aborts
            search["top_k"] = min(search["top_k"], self.vocab_size)
        params.set_search_options(max_length=min(self.max_length, begin + new_tokens), **search)
        if speculate is not None:
            params.set_speculative_options(**speculation.OPTIONS)
        try:
            if json_schema is not None:
                text = json_schema if isinstance(json_schema, str) else json.dumps(json_schema)
                params.set_guidance("json_schema", text)
            elif grammar is not None:
                params.set_guidance("lark_grammar", grammar)
            generator = og.Generator(self.model, params)
        except RuntimeError as error:
            if json_schema is None and grammar is None:
                raise
            raise Refused(f"the JSON schema is not accepted: {_first_line(error)}", code="usage") from None
        if adapter is not None:
            generator.set_active_adapter(self._wearable(self._known(adapter)), adapter)
        return generator

    def _known(self, adapter: str) -> str:
        """The name, if the bundle has an adapter that is called so."""
        if adapter in self.adapters:
            return adapter
        close = difflib.get_close_matches(adapter, self.adapters, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        known = f"one of: {', '.join(self.adapters)}" if self.adapters else "build it with --adapter NAME=FOLDER"
        raise Refused(f"the bundle has no adapter {adapter!r}{meant}", next=known, code="usage")

    def _wearable(self, adapter: str) -> og.Adapters:
        """The engine's adapters, this one loaded."""
        if self._worn is None:
            self._worn = og.Adapters(self.model)
        if adapter not in self._loaded_adapters:
            with cannot_open(f"the adapter {adapter}"):
                self._worn.load(str(inside(self.opened.model, adapter_file(adapter))), adapter)
            self._loaded_adapters.add(adapter)
        return self._worn

    def require_room(self, ids: Sequence[int], new_tokens: int) -> None:
        """Refuse a prompt without a token, an answer without one, and what has no room."""
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
        read = 0
        for at, part in enumerate(parts):
            before, read = read, read + len(part)
            anew = self.crosses(before, read)
            if anew:
                generator.rewind_to(0)
            generator.append_tokens(np.asarray(whole[:read] if anew else part, dtype=np.int32))
            values = np.asarray(generator.get_output("logits"), dtype=np.float32)[0][-len(part) :]
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


def _window(config: Path) -> int:
    """The window of a pipeline of static graphs; 1 for any other model."""
    decoder = strict.loads(config.read_bytes(), names=True)["model"].get("decoder", {})
    return max(1, int(decoder.get("sliding_window", {}).get("window_size", 1))) if "pipeline" in decoder else 1


def give_back() -> None:
    """Let the C library give back what it keeps of freed memory."""
    if sys.platform != "win32" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0][:200]
