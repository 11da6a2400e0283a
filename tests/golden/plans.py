"""The golden plans: what edgekit would do with each kind of model, for every target and every recipe. Pure: seconds.

plans/TARGET.json       case -> the plan, or what it is refused with
plans/_recipes.json     recipe -> what it does when it is asked for by name, or is refused with, and for which targets
plans/_phi.json         member of the Phi family -> likewise by default, or why it cannot be built at all
plans/_workflows.json   Olive's workflows by recipe and by the place where each occurs first
plans/_passes.json      the passes of these, likewise

The first case of a kind, workflow of a recipe, pass of a type is shown whole, the others as what differs from it: a
change is one diff, not one for each target and case.
"""

from __future__ import annotations

from typing import Any

from edgekit import plan, recipes, target
from edgekit.catalog.cards import Card
from edgekit.data import canonical, jsonable
from edgekit.errors import EdgekitError
from edgekit.model import SMALL, DecoderFacts, ImageInput, Model, Tensor
from edgekit.target import Target
from tests.golden import phi
from tests.golden.text import like, text

DATA = {"inputs": 300, "form": "image", "calibration": 100, "evaluation": 200, "sha256": "1" * 64}
ORIGIN = ("read from a folder",)


def llama(parameters: int, *, window: int = 8192, **changes: Any) -> Model:
    """SmolLM2 of four layers: tied embeddings, and a width that 64 divides and 128 does not."""
    facts = DecoderFacts(
        context_length=window,
        vocab_size=49152,
        layers=4,
        kv_heads=3,
        head_size=64,
        hidden_size=576,
        inner_size=1536,
        eos_token_ids=(2, 0),
        tied_embeddings=True,
        has_chat_template=True,
    )
    model = Model(
        name="llama", kind="llm", architecture="LlamaForCausalLM", parameters=parameters, sha256="0" * 64, llm=facts
    )
    return model.model_copy(update=changes)


def phi3(parameters: int = 3_821_079_552) -> Model:
    """Phi-3-mini-128k of four layers: nothing tied, a window beyond what a bundle is set to."""
    facts = DecoderFacts(
        context_length=131072,
        vocab_size=32064,
        layers=4,
        kv_heads=32,
        head_size=96,
        hidden_size=3072,
        inner_size=8192,
        eos_token_ids=(32007, 32001, 32000),
        bos_token_id=1,
        sliding_window=262144,
        has_chat_template=True,
    )
    return Model(
        name="phi3", kind="llm", architecture="Phi3ForCausalLM", parameters=parameters, sha256="0" * 64, llm=facts
    )


def net(*, conv: int = 0, matmul: int = 0, size: int | str = 224, opset: int = 17, **changes: Any) -> Model:
    """A net of one picture, with so many bytes of weights in each operator."""
    made = ImageInput(width=size, height=size) if isinstance(size, int) else None
    model = Model(
        name="net",
        kind="tensor",
        opset=opset,
        weight_bytes_by_op={"Conv": conv, "MatMul": matmul},
        sha256="0" * 64,
        inputs=(Tensor(name="x", dtype="float32", shape=("n", 3, size, size), preprocess=made),),
        outputs=(Tensor(name="y", dtype="float32", shape=("n", 1000)),),
    )
    return model.model_copy(update=changes)


def card(kind: str, recipe: dict[str, str]) -> Card:
    where = "https://example.com"
    return Card(
        name="carded",
        title="Carded",
        ref="x.onnx",
        license="MIT",
        license_url=where,
        source_url=where,
        kind=kind,  # type: ignore[arg-type]
        task="",
        recipe=recipe,
    )


def cases(into: Target) -> dict[str, dict[str, Any]]:
    """plan.make's arguments by the case's name."""
    small, conv = llama(134_515_008), net(conv=1000)
    repairs = ("the tokenizer's class was misspelt",)
    return {
        "llm of Llama, small": {"model": small},
        "llm of Llama, largest of the small": {"model": llama(SMALL - 1)},
        "llm of Llama, smallest of the large": {"model": llama(SMALL)},
        "llm of Llama, short window, repaired": {"model": llama(SMALL, window=1024, repairs=repairs)},
        "llm of Llama, already quantized": {"model": llama(SMALL, quantized=True)},
        "llm of Llama, already quantized, a recipe asked for": {
            "model": llama(SMALL, quantized=True),
            "recipe": "int4_rtn",
        },
        "llm of Llama, its own code trusted": {"model": small, "trust_remote_code": True},
        "llm of Llama, accelerator required": {"model": small, "require_ep": True},
        "llm of Llama, its card names a recipe": {"model": small, "card": card("llm", {"llm": "int4_kquant"})},
        "llm of Llama, a net's recipe asked for": {"model": small, "recipe": "int8_dynamic"},
        "llm of Phi-3": {"model": phi3()},
        "net of convolutions": {"model": conv, "origin": ORIGIN},
        "net of convolutions, old opset, calibrated": {"model": net(conv=1000, opset=11), "calibration": DATA},
        "net of convolutions, calibrated": {"model": conv, "calibration": DATA},
        "net of convolutions, any size": {"model": net(conv=1000, size="side")},
        "net of convolutions, any size, calibrated": {"model": net(conv=1000, size="side"), "calibration": DATA},
        "net of convolutions, accelerator required": {"model": conv, "require_ep": True},
        "net of convolutions, calibrated recipe without data": {"model": conv, "recipe": "int8_qdq"},
        "net of convolutions, unknown recipe": {"model": conv, "recipe": "int8_qdk"},
        "net of matrix products": {"model": net(matmul=1000)},
        "net of matrix products, half of it": {"model": net(conv=500, matmul=500)},
        "net of matrix products, just under half": {"model": net(conv=501, matmul=499)},
        "net of float16, calibrated": {"model": net(conv=1000, dtype="float16"), "calibration": DATA},
        "net of float16": {"model": net(conv=1000, dtype="float16")},
        "net already quantized, calibrated": {"model": net(conv=1000, quantized=True), "calibration": DATA},
        "net whose card names a recipe": {"model": conv, "card": card("tensor", {"tensor": "int8_dynamic"})},
        "net whose card names a recipe for this target": {
            "model": conv,
            "card": card("tensor", {"tensor": "int8_dynamic", into.name: "float32"}),
        },
        "net whose card is overruled": {
            "model": conv,
            "card": card("tensor", {"tensor": "int8_dynamic"}),
            "recipe": "float32",
        },
    }


class Kept:
    """Data that occurs often, kept once: by its name and the place of its first use."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, dict[str, Any]]] = {}
        self._names: dict[bytes, str] = {}

    def name(self, data: dict[str, Any], name: str, place: str) -> str:
        """The words that stand for these data."""
        key = canonical([name, data])
        if key not in self._names:
            self._names[key] = f"{name}: {place}"
            self._kept.setdefault(name, {})[place] = data
        return self._names[key]

    def shown(self) -> dict[str, dict[str, Any]]:
        """Name -> place -> the data, whole or as what differs from the first."""
        return {name: _short(places) for name, places in self._kept.items()}


class Workflows:
    """Olive's workflows and, apart, the passes they consist of."""

    def __init__(self) -> None:
        self.workflows, self.passes = Kept(), Kept()

    def name(self, config: dict[str, Any], recipe: str, place: str) -> str:
        """The words that stand for a workflow; "" for one that does nothing."""
        if not config:
            return ""
        steps = {key: self.passes.name(step["config"], step["type"], place) for key, step in config["passes"].items()}
        return self.workflows.name(config | {"passes": steps}, recipe, place)


def _short(named: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The first whole, refusals too, the others by what differs from it where that is shorter."""
    first = next((name for name, data in named.items() if "exit_code" not in data), "")
    shown = {}
    for name, data in named.items():
        different = name != first and "exit_code" not in data
        shown[name] = (
            min(like(data, named[first], first), data, key=lambda form: len(text(form))) if different else data
        )
    return shown


def outcome(workflows: Workflows, into: Target, case: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A plan as data, with names for its workflows, or the refusal. Digests of recipes' sources are left out."""
    try:
        made = jsonable(plan.make(target=into, **arguments))
    except EdgekitError as error:
        return {"exit_code": error.exit_code, "message": error.message, "next": error.next}
    for variant in made["variants"]:
        variant["recipe_sha256"] = "-"  # every comment would change it
    for step in made["steps"]:
        step["config"] = workflows.name(step["config"], step["name"], f"{into.name}, {case}")
    return made


def outcomes(workflows: Workflows, into: Target) -> dict[str, Any]:
    """Case -> outcome, of all cases for one target."""
    made = {case: outcome(workflows, into, case, arguments) for case, arguments in cases(into).items()}
    kinds = [{case: data for case, data in made.items() if case.startswith(kind)} for kind in ("llm", "net")]
    return {case: data for named in kinds for case, data in _short(named).items()}


def asked(workflows: Workflows, targets: list[Target], recipe: str) -> list[dict[str, Any]]:
    """What a recipe asked for by name does, or is refused with, and for which targets."""
    model = llama(134_515_008) if recipes.load(recipe).kind == "llm" else net(conv=1000)
    found: dict[bytes, dict[str, Any]] = {}
    for into in targets:
        made = outcome(workflows, into, "asked for", {"model": model, "recipe": recipe, "calibration": DATA})
        if "exit_code" not in made:
            made = {"workflows": [step["config"] for step in made["steps"] if step["stage"] == "optimize"]}
        found.setdefault(canonical(made), {**made, "targets": []})["targets"].append(into.name)
    return [made | {"targets": ", ".join(made["targets"])} for made in found.values()]


def of_member(workflows: Workflows, targets: list[Target], name: str, model: Model) -> list[dict[str, Any]]:
    """What is planned of a member of the Phi family, or refused, and for which targets."""
    found: dict[bytes, dict[str, Any]] = {}
    for into in targets:
        made = outcome(workflows, into, name, {"model": model})
        if "exit_code" not in made:
            variants = [{key: one[key] for key in ("name", "recipe", "precision")} for one in made["variants"]]
            steps = [step["config"] for step in made["steps"] if step["stage"] == "optimize"]
            kept = {key: made[key] for key in ("max_length", "window") if made.get(key)}
            kept["notes"] = [
                note for note in made["notes"] if note.startswith("repaired: ")
            ]  # the rest is the target's
            made = {"variants": variants, "workflows": steps, **kept}
        found.setdefault(canonical(made), {**made, "targets": []})["targets"].append(into.name)
    return [made | {"targets": ", ".join(made["targets"])} for made in found.values()]


def files() -> dict[str, str]:
    """The text of each golden file by its name below tests/golden/."""
    workflows = Workflows()
    targets = [target.load(name) for name in target.names()]
    made = {f"plans/{one.name}.json": outcomes(workflows, one) for one in targets}
    made["plans/_recipes.json"] = {recipe: asked(workflows, targets, recipe) for recipe in recipes.names()}
    family = {name: of_member(workflows, targets, name, model) for name, model in phi.members().items()}
    made["plans/_phi.json"] = family | phi.refused()
    made["plans/_workflows.json"] = workflows.workflows.shown()
    made["plans/_passes.json"] = workflows.passes.shown()
    return {name: text(data) for name, data in made.items()}
