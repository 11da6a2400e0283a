"""A limit that nothing could judge is refused where it is read, with what to write instead, by every door."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from edgekit import target
from edgekit.catalog import cards
from edgekit.errors import SourceError, TargetError, UsageError
from edgekit.quality import _limits
from edgekit.results import metrics as m
from edgekit.results.metrics import FoundBy, Limit, LimitError

pytestmark = pytest.mark.unit

CARD = """
name = "some"
title = "Some model"
ref = "pypi:some==1#model.onnx"
license = "MIT"
license_url = "https://example.org"
source_url = "https://example.org"
task = "anything"
"""


class Fault(NamedTuple):
    """A limit as TOML and as words, the kind of model it is for, and what is said of it."""

    kind: str
    name: str
    bounds: str
    said: str

    def toml(self, table: str) -> str:
        return f'[{table}]\n"{self.name}" = {{ {self.bounds.replace(",", ", ")} }}\n'

    def word(self) -> str:
        return f"{self.name}:{self.bounds}"


BUDGETS = (
    Fault("tensor", "latency_p91_ms", "max=100.0", "no metric 'latency_p91_ms'; did you mean 'latency_p9"),
    Fault("llm", "decode_tsp", "min=5", "no metric 'decode_tsp'; did you mean 'decode_tps'"),
    Fault("llm", "Decode_TPS", "min=5", "no metric 'Decode_TPS'; did you mean 'decode_tps'"),
    Fault("llm", "", "min=5", "no metric ''"),
    Fault("llm", "latency_p90_ms", "max=100", "latency_p90_ms is of tensor models, not of llm models"),
    Fault("tensor", "decode_tps", "min=5", "decode_tps is of llm models, not of tensor models"),
    Fault("llm", "kl_mean", "max=0.1", "kl_mean cannot be limited here"),
    Fault("llm", "model_mb", "max=10", "model_mb cannot be limited here"),
    Fault("llm", "ttft_ms", "max=900", "nothing measures ttft_ms; did you mean 'ttft_ms@ppN'"),
    Fault("llm", "ttft_ms@", "max=900", "nothing measures ttft_ms@"),
    Fault("llm", "ttft_ms@p512", "max=900", "nothing measures ttft_ms@p512; did you mean 'ttft_ms@ppN'"),
    Fault("llm", "ttft_ms@pp", "max=900", "nothing measures ttft_ms@pp;"),
    Fault("llm", "ttft_ms@pp0", "max=900", "nothing measures ttft_ms@pp0"),
    Fault("llm", "ttft_ms@d512", "max=900", "nothing measures ttft_ms@d512"),
    Fault("llm", "ttft_ms@pp512@pp128", "max=900", "nothing measures ttft_ms@pp512@pp128"),
    Fault("llm", "decode_tps@pp512", "min=5", "nothing measures decode_tps@pp512"),
    Fault("llm", "load_warm_s@pp512", "max=5", "nothing measures load_warm_s@pp512; did you mean 'load_warm_s'"),
    Fault("llm", "ep_share@Sm 8650", "min=0.5", "nothing measures ep_share@Sm 8650"),
    Fault("llm", "decode_tps", "min=-1", "decode_tps: min = -1 is no value that it can have"),
    Fault("llm", "ep_share", "min=1.5", "ep_share: min = 1.5 is no value that it can have"),
    Fault("llm", "ep_share", "min=80", "ep_share: min = 80 is no value that it can have"),
    Fault("llm", "temperature_max_c", "max=-300", "temperature_max_c: max = -300 is no value"),
    Fault("llm", "decode_tps", "min=30,max=20", "decode_tps: nothing is above 30 and below 20"),
    Fault("llm", "decode_tps", "above_source=1", "decode_tps cannot have above_source"),
    Fault("llm", "decode_tps", "times=2", "decode_tps cannot have times"),
)
LIMITS = (
    Fault("llm", "kl_meen", "max=0.1", "no metric 'kl_meen'; did you mean 'kl_mean'"),
    Fault("tensor", "exactness", "min=0.9", "no metric 'exactness'"),
    Fault("llm", "kl_mean@halfcontext", "max=0.1", "did you mean 'kl_mean@half_context'"),
    Fault("llm", "kl_p99@simulator", "max=0.1", "nothing measures kl_p99@simulator"),
    Fault("llm", "decode_tps", "min=5", "decode_tps cannot be limited here"),
    Fault("llm", "top1_agreement", "min=87", "top1_agreement: min = 87 is no value that it can have"),
    Fault("llm", "kl_mean", "max=-0.1", "kl_mean: max = -0.1 is no value that it can have"),
    Fault("llm", "kl_mean", "min=0.2,max=0.1", "kl_mean: nothing is above 0.2 and below 0.1"),
    Fault("llm", "kl_mean", "above_source=0.1", "the source has no kl_mean"),
    Fault("llm", "eos_rate", "below_source=1.5", "eos_rate: below_source = 1.5 is no value"),
    Fault("llm", "eos_rate", "below_source=-0.1", "eos_rate: below_source = -0.1 is no value"),
    Fault("llm", "eos_rate", "below_source=0.1,min=0.5", "eos_rate cannot have min and below_source"),
    Fault("llm", "eos_rate@source", "below_source=0.1", "the source has no eos_rate@source"),
    Fault("llm", "kl_mean", "times=2", "kl_mean: times is of a metric's limit at one of its places"),
    Fault("llm", "top1_agreement@simulator", "times=2", "top1_agreement@simulator: times is of a metric's limit"),
    Fault("llm", "kl_mean@longrope", "times=2,max=1", "kl_mean@longrope cannot have max and times"),
    Fault("llm", "kl_mean@longrope", "times=-2", "kl_mean@longrope: times = -2 is no value"),
)
OTHER_KIND = (
    Fault("llm", "cosine_mean", "min=0.9", "cosine_mean is of tensor models, not of llm models"),
    Fault("tensor", "kl_mean", "max=0.1", "kl_mean is of llm models, not of tensor models"),
)


def of_target(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "linux-cpu"\n{text}', encoding="utf-8")
    target.load(str(path))


def of_card(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"{CARD}kind = '{kind}'\n{text}", encoding="utf-8")
    cards.load(str(path))


@pytest.mark.parametrize("fault", BUDGETS, ids=Fault.word)
def test_a_budget_that_nothing_could_judge(fault: Fault, tmp_path: Path) -> None:
    with pytest.raises(TargetError) as of_a_target:
        of_target(tmp_path, fault.toml(f"{fault.kind}.budget"))
    with pytest.raises(SourceError) as of_a_card:
        of_card(tmp_path, fault.kind, fault.toml("budget"))
    for caught in (of_a_target.value, of_a_card.value):
        assert f"budget: {fault.said}" in caught.message and caught.next and "\n" not in caught.message
    if fault.name:
        with pytest.raises(UsageError) as on_the_line:
            m.parse_limits([fault.word()], by="check", kind=fault.kind)
        assert fault.said in on_the_line.value.message and on_the_line.value.next == of_a_target.value.next


@pytest.mark.parametrize("fault", LIMITS, ids=Fault.word)
def test_a_limit_of_the_quality_that_nothing_could_judge(fault: Fault, tmp_path: Path) -> None:
    with pytest.raises(TargetError) as of_a_target:
        of_target(tmp_path, fault.toml("quality"))
    with pytest.raises(SourceError) as of_a_card:
        of_card(tmp_path, fault.kind, fault.toml("quality"))
    with pytest.raises(UsageError) as on_the_line:
        m.parse_limits([fault.word()], by="gate", kind=fault.kind)
    for caught in (of_a_target.value, of_a_card.value, on_the_line.value):
        assert fault.said in caught.message and caught.next and "\n" not in caught.message


@pytest.mark.parametrize("fault", OTHER_KIND, ids=Fault.word)
def test_a_targets_quality_is_for_both_kinds_a_cards_and_the_command_lines_for_one(
    fault: Fault, tmp_path: Path
) -> None:
    of_target(tmp_path, fault.toml("quality"))
    with pytest.raises(SourceError, match=fault.said):
        of_card(tmp_path, fault.kind, fault.toml("quality"))
    with pytest.raises(UsageError, match=fault.said):
        m.parse_limits([fault.word()], by="gate", kind=fault.kind)


@pytest.mark.parametrize("bounds", ["max=nan", "max=inf", "min=-inf", "max='100'", "max=true", "", "most=3"])
def test_a_bound_that_is_no_number_is_refused_by_every_door(bounds: str, tmp_path: Path) -> None:
    fault = Fault("tensor", "latency_p90_ms", bounds, "")
    text = f"latency_p90_ms = {{ {bounds} }}\n"
    with pytest.raises(TargetError, match=r"tensor\.budget"):
        of_target(tmp_path, f"[tensor.budget]\n{text}")
    with pytest.raises(SourceError, match="budget"):
        of_card(tmp_path, "tensor", f"[budget]\n{text}")
    with pytest.raises(UsageError, match="is not a budget"):
        m.parse_limits([fault.word()], by="check")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["decode_tps:min=20", "ttft_ms@pp512:max=900,min=1"], {"decode_tps": (20, None), "ttft_ms@pp512": (1, 900)}),
        (["decode_tps:min=20", "decode_tps:max=30"], {"decode_tps": (20, 30)}),
        (["decode_tps@d512:min=1", "decode_tps@m5:min=2"], {"decode_tps@d512": (1, None), "decode_tps@m5": (2, None)}),
        (["ep_share@sm8650:min=0.9", "bundle_mb:max=0"], {"ep_share@sm8650": (0.9, None), "bundle_mb": (None, 0)}),
        ([], {}),
    ],
)
def test_budgets_are_read(words: list[str], found: dict[str, tuple[float | None, float | None]]) -> None:
    limits = m.parse_limits(words, by="check")
    assert {name: (limit.min, limit.max) for name, limit in limits.items()} == found


@pytest.mark.parametrize(
    ("word", "limit"),
    [
        ("kl_mean:max=0.2", Limit(max=0.2)),
        ("kl_mean@half_context:times=3", Limit(times=3)),
        ("eos_rate:below_source=0.1", Limit(below_source=0.1)),
        ("repetition_rate:above_source=0", Limit(above_source=0)),
        ("greedy_prefix_agreement:min=0.1", Limit(min=0.1)),  # reported by default, judged where somebody asks
    ],
)
def test_limits_of_the_quality_are_read(word: str, limit: Limit) -> None:
    assert m.parse_limits([word], by="gate", kind="llm") == {word.partition(":")[0]: limit}


def test_a_place_that_is_a_models_own_name_is_taken_whole() -> None:
    assert m.parse_limits(["cosine_mean@'a:0':min=0.9"], by="gate") == {"cosine_mean@'a:0'": Limit(min=0.9)}


@pytest.mark.parametrize(
    ("by", "words", "said"),
    [
        ("check", ["decode_tps"], "'decode_tps' is not a budget"),
        ("check", ["decode_tps:min"], "is not a budget"),
        ("check", ["decode_tps:=3"], "is not a budget"),
        ("check", ["decode_tps:min=fast"], "is not a budget"),
        ("check", ["decode_tps:min=1,"], "is not a budget"),
        ("check", [":min=1"], "is not a budget"),
        ("gate", ["kl_mean:most=1"], "is not a limit"),
        ("check", ["decode_tps:min=1,min=2"], "decode_tps has two values of min"),
        ("check", ["decode_tps:min=1", "decode_tps:min=2"], "decode_tps has two values of min"),
    ],
)
def test_words_that_are_no_limit(by: FoundBy, words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        m.parse_limits(words, by=by)


def test_an_empty_limit_is_one_that_somebody_forgot() -> None:
    with pytest.raises(LimitError, match="the limit on decode_tps has no bound"):
        m.checked({"decode_tps": Limit()}, by="check")


def test_a_targets_budget_holds_only_the_kind_of_model_that_has_the_metric(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "android-cpu"\nname = "mine"\n[budget]\ndecode_tps = { min = 1 }\nbundle_mb = { max = 9 }\n'
    )
    mine = target.load(str(path))
    assert set(mine.budgets("tensor")) == {"latency_p90_ms", "bundle_mb"}
    assert mine.budgets("llm") == {"decode_tps": Limit(min=5), "bundle_mb": Limit(max=9)}


@pytest.mark.parametrize("name", target.names())
def test_the_limits_of_every_target_that_ships_can_be_judged(name: str) -> None:
    target.load(name)


@pytest.mark.parametrize("kind", ["llm", "tensor"])
def test_every_row_of_the_table_can_be_judged(kind: str) -> None:
    for row in _limits._table()[kind]["row"]:
        for precision in row["precision"]:
            found, note = _limits.limits(kind, precision, row.get("parameters", 0))  # type: ignore[arg-type]
            assert found and not note


def test_a_wrong_row_of_the_table_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"llm": {"always": {"kl_meen": {"max": 1}}, "row": [{"precision": ["int4"]}]}}
    monkeypatch.setattr(_limits, "_table", lambda: wrong)
    with pytest.raises(LimitError, match="did you mean 'kl_mean'"):
        _limits.limits("llm", "int4", 0)
