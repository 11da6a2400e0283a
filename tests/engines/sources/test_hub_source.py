"""hf: against a real server that speaks the hub's protocol: what comes down, and what a bad day looks like."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from edgekit import commands, holdings
from edgekit.bundle.read import read
from edgekit.catalog import cards
from edgekit.errors import EdgekitError, SourceError
from edgekit.sources import Source, open_source
from tests.unit.sources.tiny_models import edit_onnx, save_llama, save_onnx

pytestmark = pytest.mark.olive  # huggingface_hub belongs to the build extra

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "tests" / "peers" / "hub_server.py"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
MB = 1 << 20
TOKEN = "hf_aSecretThatMustNeverBeShown"


@dataclass
class Hub:
    """The server's folder, and what it saw."""

    root: Path
    url: str

    def repo(self, name: str) -> Path:
        folder = self.root / "repos" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fault(self, match: str, **what: Any) -> None:
        path = self.root / "faults.json"
        before = json.loads(path.read_text()) if path.exists() else []
        path.write_text(json.dumps([*before, {"match": match, **what}]))

    def mend(self) -> None:
        (self.root / "faults.json").unlink(missing_ok=True)

    def requests(self, side: str = "", method: str = "") -> list[dict[str, Any]]:
        path = self.root / "log.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [one for one in lines if side in ("", one["side"]) and method in ("", one["method"])]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    root = tmp_path / "hub"
    root.mkdir()
    server = subprocess.Popen([sys.executable, SERVER, root], stdout=subprocess.PIPE)
    assert server.stdout is not None
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    try:
        url = json.loads(server.stdout.readline())["hub"]
        monkeypatch.setenv("HF_ENDPOINT", url)
        yield Hub(root, url)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture
def llama(hub: Hub) -> Hub:
    """A hub with org/tiny, a Llama of a few bytes that also carries what is not needed."""
    folder = save_llama(hub.repo("org/tiny"))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "LICENSE").write_text("the licence")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    return hub


@pytest.fixture
def net(hub: Hub) -> Hub:
    """A hub with org/net, a graph of 4 MB: the download is written in steps of one."""

    def pad(proto: Any) -> None:
        proto.graph.initializer.append(numpy_helper.from_array(np.arange(1 << 20, dtype=np.float32), "pad"))

    edit_onnx(save_onnx(hub.repo("org/net") / "net.onnx"), pad)
    return hub


def refused(ref: str, message: str, next: str = "", **options: Any) -> SourceError:
    with pytest.raises(SourceError, match=message) as caught:
        open_source(ref, **options)
    error = caught.value
    assert error.exit_code == 4 and next in error.next and error.next
    assert "\n" not in error.message + error.next and TOKEN not in error.message + error.next
    return error


def downloads() -> list[str]:
    """What of the hub is whole in the cache."""
    return [
        entry.what for entry in holdings.entries() if entry.what.startswith("hf:") and "not whole" not in entry.what
    ]


def test_a_decoder_at_its_commit(llama: Hub, tmp_path: Path) -> None:
    source = open_source("hf:org/tiny")
    assert source.ref == f"hf:org/tiny@{COMMIT}" and source.model.name == "tiny" and source.form == "hf"
    assert source.origin == (f"org/tiny, from the Hugging Face hub at commit {COMMIT}: 7 files as it lists them",)
    assert source.model.license == "mit" and [path.name for path in source.licenses] == ["LICENSE"]
    names = {path.name for path in source.path.iterdir()}
    assert "model.safetensors" in names and not names & {"pytorch_model.bin", "modeling_evil.py", ".cache"}
    for path in source.path.iterdir():
        assert path.read_bytes() == (llama.repo("org/tiny") / path.name).read_bytes()
    agents = {one["agent"] for one in llama.requests()}
    assert agents and all(agent.startswith("edgekit/") and "torch" not in agent for agent in agents)
    assert not (tmp_path / "home").exists(), "nothing is written into the user's home"
    assert downloads() == [source.ref] and len(holdings.entries()) == 1


def test_a_branch_a_tag_and_the_commit_are_one_download(llama: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[Source] = [open_source(f"hf:org/tiny{at}") for at in ("", "@v1", "@refs/pr/1", f"@{COMMIT}")]
    assert all(replace(source, snapshot=sources[0].snapshot) == sources[0] for source in sources)
    assert all(
        source.snapshot.stamps == sources[0].snapshot.stamps for source in sources
    )  # its digests go by files' age
    assert len(llama.requests("cdn")) == 1
    before = len(llama.requests())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    again = open_source(f"hf:org/tiny@{COMMIT}")
    assert replace(again, snapshot=sources[0].snapshot) == sources[0] and len(llama.requests()) == before
    error = refused("hf:org/tiny", "HF_HUB_OFFLINE forbids", "unset HF_HUB_OFFLINE")
    assert f"in the cache is hf:org/tiny@{COMMIT}" in error.next


def test_shards(hub: Hub) -> None:
    folder = save_llama(hub.repo("org/tiny"))
    weights = (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    header = json.loads(weights.read_bytes()[8 : 8 + int.from_bytes(weights.read_bytes()[:8], "little")])
    placed = {name: weights.name for name in header if name != "__metadata__"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
    assert weights.name in {path.name for path in open_source("hf:org/tiny").path.iterdir()}


def test_a_graph_with_external_data(hub: Hub) -> None:
    (hub.repo("org/net") / "onnx").mkdir()
    save_onnx(hub.repo("org/net") / "onnx" / "model.onnx", external="model.onnx_data", name="input_ids")
    save_onnx(hub.repo("org/net") / "onnx" / "model_q.onnx")
    (hub.repo("org/net") / "config.json").write_text('{"max_position_embeddings": 32}')
    (hub.repo("org/net") / "tokenizer.json").write_text("{}")
    refused("hf:org/net", "holds 2 models", "hf:org/net#onnx/model.onnx")
    source = open_source("hf:org/net#onnx/model.onnx")
    assert source.ref == f"hf:org/net@{COMMIT}#onnx/model.onnx" and source.model.name == "net"
    assert source.model.parameters == 15 and (source.path.parent / "model.onnx_data").is_file()
    form = source.model.inputs[0].preprocess
    assert form is not None and form.kind == "text" and form.max_tokens == 32
    assert not (source.path.parent / "model_q.onnx").exists()


def test_code_is_refused_before_the_weights_are_fetched(llama: Hub) -> None:
    folder = llama.repo("org/tiny")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "internlm2", "architectures": ["InternLM2ForCausalLM"]}
    config |= {"auto_map": {"AutoModel": "modeling_odd.Odd"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_odd.py").write_text("class Odd: pass\n")
    refused("hf:org/tiny", "asks to run the code that came with the model", "--trust-remote-code")
    assert not llama.requests("cdn") and downloads() == []
    source = open_source("hf:org/tiny", trust_remote_code=True)
    assert source.trust_remote_code and "trusted by the user" in source.origin[-1]
    assert (source.path / "modeling_odd.py").is_file()


def test_what_cannot_be_built_is_refused_before_the_weights_are_fetched(llama: Hub) -> None:
    folder = llama.repo("org/tiny")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "phimoe", "architectures": ["PhiMoEForCausalLM"], "auto_map": {"AutoModel": "odd.Odd"}}
    (folder / "config.json").write_text(json.dumps(config))
    refused("hf:org/tiny", "PhiMoEForCausalLM cannot be built", "Phi-4-mini")
    assert not llama.requests("cdn") and downloads() == []


def same(source: Source, hub: Hub) -> bool:
    return source.path.read_bytes() == (hub.repo("org/net") / "net.onnx").read_bytes()


def test_a_cut_connection_is_taken_up_where_it_broke(net: Hub) -> None:
    net.fault("cdn GET", cut=1_500_000, times=1)
    net.fault("cdn GET", cut=1_500_000, times=1, do="reset")
    source = open_source("hf:org/net")
    ranges = [one["range"] for one in net.requests("cdn", "GET")]
    assert same(source, net) and ranges[:2] == ["", f"bytes={MB}-"] and len(ranges) == 3
    assert ranges[2] in (f"bytes={2 * MB}-", f"bytes={MB}-"), "a reset may lose what was on its way"


def test_a_hub_that_always_cuts_is_given_up_and_gone_on_with(net: Hub) -> None:
    net.fault("cdn GET", cut=1_500_000, times=1)
    net.fault("cdn GET", cut=0)
    refused("hf:org/net", "cuts the download of net.onnx of org/net short", "goes on where it stopped")
    assert downloads() == [] and "not whole yet" in holdings.entries()[0].what
    net.mend()
    assert same(open_source("hf:org/net"), net) and net.requests("cdn")[-1]["range"] == f"bytes={MB}-"
    assert downloads() == [f"hf:org/net@{COMMIT}"] and len(holdings.entries()) == 1, "the store is gone"


def test_a_killed_download_goes_on(net: Hub, tmp_path: Path) -> None:
    net.fault("cdn GET", cut=1_500_000, times=1, do="stall", seconds=60)
    code = "from edgekit.sources import open_source; open_source('hf:org/net')"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in (tmp_path / "cache").rglob("*.incomplete")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert downloads() == []
    net.mend()
    assert same(open_source("hf:org/net"), net) and net.requests("cdn")[-1]["range"] == f"bytes={MB}-"


def test_a_server_that_forgets_the_range(net: Hub) -> None:
    net.fault("cdn GET", cut=1_500_000, times=1)
    net.fault("cdn GET", do="no-range")
    assert same(open_source("hf:org/net"), net)


def test_a_part_that_was_damaged_on_the_disk_is_fetched_again(net: Hub, tmp_path: Path) -> None:
    net.fault("cdn GET", cut=1_500_000, times=1)
    net.fault("cdn GET", cut=0)
    refused("hf:org/net", "cuts the download")
    (part,) = (tmp_path / "cache").rglob("*.incomplete")
    part.write_bytes(bytes(MB))
    net.mend()
    assert same(open_source("hf:org/net"), net)
    assert [one["range"] for one in net.requests("cdn")][-2:] == [f"bytes={MB}-", ""]


def test_wrong_content_is_never_kept(llama: Hub) -> None:
    llama.fault("cdn GET .*safetensors", do="change")
    honest = hashlib.sha256((llama.repo("org/tiny") / "model.safetensors").read_bytes()).hexdigest()
    error = refused("hf:org/tiny", "model.safetensors of org/tiny has the sha256", "do not use it")
    assert f"the hub says {honest}" in error.message and len(llama.requests("cdn", "GET")) == 2
    assert downloads() == []
    llama.mend()
    assert open_source("hf:org/tiny").model.parameters == 1128


def test_wrong_content_of_a_small_file(llama: Hub) -> None:
    llama.fault("hub GET .*config.json", do="change")
    refused("hf:org/tiny", "config.json of org/tiny has the git digest", "do not use it")
    assert not llama.requests("cdn")


@pytest.mark.parametrize(
    ("ref", "message", "next"),
    [
        ("hf:org/none", "the hub has no model org/none, or it is private", "HF_TOKEN"),
        ("hf:org/private", "the hub has no model org/private, or it is private", "HF_TOKEN"),
        ("hf:org/gated", "org/gated is gated", "https://huggingface.co/org/gated"),
        ("hf:org/tiny@v9", "org/tiny has no revision 'v9'", "a branch, a tag or a commit"),
        ("hf:org/tiny#onnx/model.onnx", "org/tiny holds no 'onnx/model.onnx'", "tree/main"),
    ],
)
def test_what_is_not_there(llama: Hub, ref: str, message: str, next: str) -> None:
    for name in ("org/gated", "org/private"):
        save_llama(llama.repo(name))
    refused(ref, message, next)
    assert downloads() == []


def test_a_plan_of_a_language_model_fetches_no_weights(llama: Hub, capfd: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["build", "hf:org/tiny", "--target", "linux-cpu", "--dry-run", "--json"]) == 0
    (plan,) = json.loads(capfd.readouterr().out)["data"]["plans"]
    assert plan["model"] == "tiny" and plan["steps"][0]["reason"].startswith("described by its config.json")
    fetched = {request["path"].rpartition("/")[2] for request in llama.requests() if request["method"] == "GET"}
    assert "config.json" in fetched and not {name for name in fetched if name.endswith(".safetensors")}
    whole = open_source("hf:org/tiny")
    assert whole.model.llm is not None and plan["max_length"] == whole.model.llm.context_length


def test_a_token_is_used_and_never_shown(
    llama: Hub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("org/gated", "org/private"):
        save_llama(llama.repo(name))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    open_source("hf:org/gated")
    open_source("hf:org/private")
    assert {one["token"] for one in llama.requests("hub")} == {"right"}
    assert {one["token"] for one in llama.requests("cdn")} == {"none"}, "another host must not see it"
    llama.fault("hub GET /api/models/org/tiny", status=403, headers={"X-Error-Message": f"no {TOKEN}"})
    words = ["build", "hf:org/tiny", "--target", "linux-cpu", "-o", str(tmp_path / "out"), "--dry-run", "--verbose"]
    assert commands.main(words) == 4
    shown = "".join(capfd.readouterr())
    assert "forbids access to org/tiny with this token" in shown and TOKEN not in shown
    monkeypatch.setenv("HF_TOKEN", TOKEN + "x")
    llama.mend()
    refused("hf:org/tiny", "the hub refuses the token", "HF_TOKEN")
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert not kept


@pytest.mark.parametrize(
    ("fault", "message", "next"),
    [
        ({"match": "/api/models", "status": 429, "headers": {"Retry-After": "40"}}, "limits the rate", "in 40 s"),
        ({"match": "HEAD", "status": 429}, "limits the rate", "in a few minutes"),
        ({"match": "cdn GET", "status": 429}, "limits the rate", "goes on where it stopped"),
        ({"match": "/api/models", "status": 503}, "answers 503", "in a few minutes"),
        ({"match": "cdn GET", "status": 403}, "forbids access", "read access"),
        ({"match": "/api/models", "do": "text", "body": "<html>Sign in to the hotel"}, "not answer as the", "proxy"),
        ({"match": "/api/models", "do": "text", "body": "[1, 2]"}, "not answer as the", "HF_ENDPOINT"),
        ({"match": "/api/models", "about": {"sha": "../../x"}}, "not answer as the", "HF_ENDPOINT"),
        ({"match": "/api/models", "more": [{"rfilename": "x"}]}, "not answer as the", "HF_ENDPOINT"),
        (
            {"match": "/api/models", "more": [{"rfilename": "../x", "size": 1, "blobId": "0" * 40}]},
            "lists '../x', which leads outside",
            "do not use",
        ),
        (
            {"match": "/api/models", "more": [{"rfilename": "LICENSE.txt", "size": 1, "blobId": "0" * 40}]},
            "lacks a file that the hub's listing names",
            "goes on",
        ),
        ({"match": "cdn GET", "do": "longer"}, "another size of model.safetensors", "goes on"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_day_of_the_hub(llama: Hub, fault: dict[str, Any], message: str, next: str) -> None:
    llama.fault(**fault)
    refused("hf:org/tiny", message, next)
    assert downloads() == []
    if "/api/" not in fault["match"]:  # of the others nothing was kept
        llama.mend()
        assert open_source("hf:org/tiny").model.name == "tiny", "a rerun completes"


def test_no_network(llama: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://user:password@127.0.0.1:9")
    error = refused("hf:org/tiny", "the hub at 127.0.0.1:9 cannot be reached", "check the network")
    assert "password" not in error.message + error.next


def test_a_disk_that_is_too_small_for_the_model(llama: Hub) -> None:
    size = {"size": 10**15, "lfs": {"sha256": "0" * 64, "size": 10**15, "pointerSize": 1}}
    llama.fault("/api/models", files={"model.safetensors": size})
    with pytest.raises(EdgekitError, match=r"the disk is full: org/tiny needs 1000000\.0 GB") as error:
        open_source("hf:org/tiny")
    assert error.value.exit_code == 5 and not llama.requests("cdn")


def test_a_card_may_name_the_hub(llama: Hub, tmp_path: Path) -> None:
    card = {
        "name": "mine",
        "title": "Mine",
        "ref": f"hf:org/tiny@{COMMIT}",
        "license": "MIT",
        "license_url": "x",
        "source_url": "x",
        "kind": "llm",
        "task": "text-generation",
    }
    path = tmp_path / "mine.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in card.items()))
    source = open_source(str(path))
    assert source.model.name == "mine" and source.origin[0].startswith("org/tiny, from the Hugging Face hub")
    path.write_text(path.read_text() + f'sha256 = "{"0" * 64}"\n')
    refused(str(path), "gives a sha256 for a model of the hub", "pin its commit")


def test_the_command_names_it_in_the_plan(llama: Hub, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = commands.main(["build", "hf:org/tiny@v1", "--target", "linux-cpu", "--dry-run", "--json"])
    plan = json.loads(capfd.readouterr().out)["data"]["plans"][0]
    assert code == 0 and f"at commit {COMMIT}" in plan["steps"][0]["reason"]


def test_the_manifest_names_the_commit(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built by its branch, the bundle is the one that its commit gives, without a network."""
    save_onnx(hub.repo("org/net") / "net.onnx")
    (hub.repo("org/net") / "README.md").write_text("---\nlicense: mit\n---\n")
    words = ["--target", "linux-cpu", "--quality", "off", "--recipe", "keep", "-q"]
    assert commands.main(["build", "hf:org/net", *words, "-o", str(tmp_path / "one")]) == 0
    manifest = read(tmp_path / "one" / "net-linux-cpu")
    assert manifest.source.ref == f"hf:org/net@{COMMIT}" and manifest.source.license == "mit"
    assert (
        manifest.source.origin[0] == f"org/net, from the Hugging Face hub at commit {COMMIT}: 2 files as it lists them"
    )
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert commands.main(["build", manifest.source.ref, *words, "-o", str(tmp_path / "two")]) == 0
    assert read(tmp_path / "two" / "net-linux-cpu") == manifest


def stand_in(tmp_path: Path) -> Path:
    """A card whose model is org/tiny of the hub, and a package's small file where that cannot be had."""
    card = cards.load("smollm2-135m-instruct")
    assert card.stand_in is not None
    path = tmp_path / "card.toml"
    path.write_text(
        f'name = "tiny"\ntitle = "Tiny"\nref = "hf:org/tiny"\nkind = "llm"\n[stand_in]\nref = "{card.stand_in.ref}"\n'
        f'sha256 = "{card.stand_in.sha256}"\ndownload_bytes = 1\nwhat = "four bits"\n'
    )
    return path


def test_a_card_takes_the_hubs_model_first_and_says_so(llama: Hub, tmp_path: Path) -> None:
    source = open_source(str(stand_in(tmp_path)))
    assert source.origin[0].startswith("org/tiny, from the Hugging Face hub") and not llama.requests("pypi")
