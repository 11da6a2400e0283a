"""The tables in docs/targets/*.md, made from the profiles: python docs/targets/tables.py rewrites them in place."""

from __future__ import annotations

import re
from pathlib import Path

from edgekit import target
from edgekit.kinds.variant import Variant
from edgekit.model import SMALL
from edgekit.target import Target

FOLDER = Path(__file__).parent
BLOCK = re.compile(r"<!-- table (?P<names>[a-z0-9_ -]+) -->\n.*?<!-- end -->", re.DOTALL)


def table(name: str) -> str:
    """What a profile says, as a Markdown table."""
    found = target.load(name)
    rows = [("status", f"{found.status} ({found.status_date}): {found.status_reason}")]
    rows += [("move to", found.successor)] if found.successor else []
    system = " ".join([found.os, "/".join(found.abi)])
    rows.append(("runs on", system + (f", from {found.platform.os_min_name}" if found.platform.os_min_name else "")))
    rows += [(f"{kind} models", _settings(found, kind)) for kind in ("tensor", "llm")]
    rows += [("tensor variants", _variants(found.tensor.variant))] if found.tensor.variant else []
    rows += [("llm variants", _variants(found.llm.variant))] if found.llm.variant else []
    rows += (
        [("app manifest", "<br>".join(f"`{line}`" for line in found.platform.app_manifest))]
        if (found.platform.app_manifest)
        else []
    )
    rows.append(("an app links", "<br>".join(_package(found, at) for at in range(len(found.runtime)))))
    return f"| `{name}` | |\n|---|---|\n" + "".join(f"| {key} | {text} |\n" for key, text in rows)


def _settings(found: Target, kind: str) -> str:
    settings = found.tensor if kind == "tensor" else found.llm
    options = ", ".join(f"{key}={value}" for key, value in settings.ep_options.items())
    parts = [f"EP `{settings.ep}`" + (f" ({options})" if options else ""), f"recipe `{settings.recipe}`"]
    if kind == "llm":
        small = found.llm.recipe_small
        parts += [f"`{small}` under {SMALL // 10**6} million parameters"] if small else []
        parts.append(f"{found.llm.max_length} tokens")
    if settings.static_shapes:
        parts.append("fixed sizes")
    instead = settings.instead_of
    return "; ".join(parts) + (f". Not on `{instead.ep}`: {instead.reason}" if instead else "")


def _variants(variants: tuple[Variant, ...]) -> str:
    return "<br>".join(
        f"`{one.name}`" + (f": {', '.join(one.soc)}, HTP v{one.htp_arch}" if one.soc else f": {one.note}")
        for one in variants
    )


def _package(found: Target, at: int) -> str:
    one = found.runtime[at]
    words = f"`{one.name}` {one.floor} or later ({one.channel}; last seen {one.last_seen}"
    words += f"; QAIRT {one.qairt}" if one.qairt else ""
    words += f"; not {', '.join(one.excluded)}" if one.excluded else ""
    return words + ("; language models only)" if one.kinds == ("llm",) else ")")


def page(text: str) -> str:
    """A page with its tables made anew."""

    def made(match: re.Match[str]) -> str:
        tables = "\n".join(table(name) for name in match["names"].split())
        return f"<!-- table {match['names']} -->\n{tables}<!-- end -->"

    return BLOCK.sub(made, text)


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.md")):
        path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
