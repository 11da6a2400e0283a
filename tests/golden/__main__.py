"""`make golden` writes the golden files anew, `make golden-manifests` those that need a build. The diff is reviewed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from edgekit import target
from tests.golden import advice, manifests, plans
from tests.golden.text import write


def main() -> None:
    changed = write(plans.files(), "plans") + write(advice.page(), "advice")
    with tempfile.TemporaryDirectory(prefix="edgekit-golden-") as folder:
        changed += write(manifests.files(manifests.drafted(Path(folder)), "drafts"), "drafts")
    if "manifests" in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix="edgekit-golden-") as folder:
            changed += write(manifests.files(manifests.built(Path(folder), target.names()), "manifests"), "manifests")
    for name in changed or ["nothing"]:
        print(f"changed: {name}")


if __name__ == "__main__":
    main()
