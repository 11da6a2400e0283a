"""Progress goes to stderr, results to stdout, and --json leaves exactly one document there."""

from __future__ import annotations

import json
import sys

import pytest

from edgekit import console, progress
from edgekit.errors import BundleError

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]


def test_progress_and_results_have_a_stream_each(capsys: Capture) -> None:
    console.say("working")
    console.out("42")
    assert capsys.readouterr() == ("42\n", "working\n")


def test_quiet_keeps_results_and_warnings(capsys: Capture) -> None:
    console.configure(quiet=True, verbose=True)
    console.say("working")
    console.detail("+ a program")
    with console.step("a step"):
        console.tick("inside")
    console.warn("look out")
    console.out("42")
    assert capsys.readouterr() == ("42\n", "warning: look out\n")


def test_details_need_verbose(capsys: Capture) -> None:
    console.detail("hidden")
    console.configure(verbose=True)
    console.detail("shown")
    assert capsys.readouterr().err == "shown\n"


def test_a_detail_is_one_line_and_a_log_has_several(capsys: Capture) -> None:
    console.configure(verbose=True)
    console.detail("+ run a\nerror: forged")
    console.log("Traceback:\n  line 1\n::error::x")
    assert capsys.readouterr().err == "+ run a?error: forged\nTraceback:\n  line 1\n:?error::x\n"


def test_a_step_says_its_name_and_its_seconds(capsys: Capture) -> None:
    with console.step("optimize"):
        console.say("inside")
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["optimize ...", "inside"]
    assert lines[2].startswith("optimize: ") and lines[2].endswith(" s")


def test_a_failed_step_does_not_say_it_ended(capsys: Capture) -> None:
    with pytest.raises(BundleError), console.step("seal"):
        raise BundleError("broken")
    assert capsys.readouterr().err == "seal ...\n"


def test_json_mode_leaves_one_document_on_stdout(capsys: Capture) -> None:
    console.configure(json=True)
    console.say("working")
    console.out("text for people")
    console.table("t", ("a",), [("b",)])
    assert not console.documented()
    console.document("edgekit.x/1", {"größe": 1})
    assert console.documented()
    out = capsys.readouterr().out
    assert json.loads(out) == {"schema": "edgekit.x/1", "exit_code": 0, "data": {"größe": 1}, "error": None}
    assert "größe" in out


def test_a_document_of_a_failure_has_its_exit_code(capsys: Capture) -> None:
    console.document("edgekit.x/1", None, error=BundleError("broken", next="mend it"))
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == BundleError.exit_code
    assert document["error"] == {"code": "bundle", "message": "broken", "next": "mend it"}


def test_a_number_that_json_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        console.document("edgekit.x/1", {"value": float("nan")})


def test_text_that_looks_like_markup_is_shown_as_it_is(capsys: Capture) -> None:
    console.table("", ("name",), [("[red]a[/red]",), ("[/]",)])
    console.say("[bold]x[/bold] [1, 2]")
    console.failure(BundleError("changed: [x]", next="pip install 'edgekit-ai[build]'"))
    out, err = capsys.readouterr()
    assert "[red]a[/red]" in out and "[/]" in out
    assert err == "[bold]x[/bold] [1, 2]\nerror: changed: [x]\n  next: pip install 'edgekit-ai[build]'\n"


def test_long_errors_stay_on_one_line(capsys: Capture) -> None:
    console.failure(BundleError("word " * 60))
    assert capsys.readouterr().err.count("\n") == 1


def test_streamed_text_is_not_touched(capsys: Capture) -> None:
    for piece in ("Par", "is", ".\n"):
        console.stream(piece)
    assert capsys.readouterr().out == "Paris.\n"


def test_a_terminal_gets_a_spinner_that_leaves_no_trace(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with console.step("outer"):
        console.tick("half")
        with console.step("inner"):
            pass
    assert not progress._steps
    assert "outer: " in capsys.readouterr().err
