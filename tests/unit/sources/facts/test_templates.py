"""A chat template that no Jinja reads is refused when its folder is opened; what transformers takes is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import templates
from tests import needs

pytestmark = pytest.mark.unit
needs.module("jinja2")

PLAIN = "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}"
GOOD = {
    "plain": PLAIN,
    "empty": "",
    "for training": "{% for m in messages %}{% generation %}{{ m.content }}{%- endgeneration -%}{% endfor %}",
    "break": "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{% break %}{% endfor %}",
    "functions of transformers": "{{ strftime_now('%d %b %Y') }}{{ raise_exception('no system role') }}{{ x|tojson }}",
    "slices": "{% for m in messages[::-1] %}{% set ns = namespace(end=m.content.split('</think>')[-1]) %}{% endfor %}",
    "a constant of any size": "{{ 'a' * 10 ** 12 }}{{ 'a'|center(100000000000) }}",
}
BROKEN = {
    "not closed": (PLAIN + "{% if x %}", "line 1: Unexpected end of template"),
    "cut off": (PLAIN[:60], "line 1"),
    "an unknown tag": ("{% for m in messages %}\n{% answer %}{% endfor %}", "line 2: Encountered unknown tag 'answer'"),
    "another language": ("{{ if .System }}<|system|>{{ .System }}{{ end }}", "line 1"),  # Ollama's
    "a quote": ("{{ 'it's' }}", "line 1"),
    "nested": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deep"),
}


def opened(folder: Path, template: Any, place: str = "tokenizer_config.json") -> bool:
    """Whether a template is found in `place` of the folder."""
    text = template if place == templates.FILE else json.dumps({"chat_template": template})
    (folder / place).write_text(text)
    settings = json.loads(text) if place == "tokenizer_config.json" else {}
    return templates.comes_with(folder, settings)


@pytest.mark.parametrize("case", GOOD)
def test_what_transformers_takes(case: str, tmp_path: Path) -> None:
    assert opened(tmp_path, GOOD[case]) is (case != "empty")


@pytest.mark.parametrize("place", [templates.FILE, *templates.PLACES])
@pytest.mark.parametrize("case", BROKEN)
def test_what_jinja_cannot_read_is_refused_with_the_line(case: str, place: str, tmp_path: Path) -> None:
    template, reason = BROKEN[case]
    with pytest.raises(SourceError) as refused:
        opened(tmp_path, template, place)
    assert str(refused.value).startswith(f"{place}: the chat template does not compile: ") and reason in str(
        refused.value
    )
    assert place in (refused.value.next or "")


def test_the_file_goes_before_the_settings(tmp_path: Path) -> None:
    (tmp_path / templates.FILE).write_text(PLAIN)
    assert opened(tmp_path, BROKEN["not closed"][0])


def test_without_jinja_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "find_spec", lambda name: None)
    assert opened(tmp_path, BROKEN["not closed"][0])
