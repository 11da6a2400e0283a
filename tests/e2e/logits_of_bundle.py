"""Write a bundle's logits of its check text, by its own runtime: python logits_of_bundle.py BUNDLE OUT.npy TOKENS"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

bundle, out, tokens = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.path.insert(0, str(bundle / "runtime" / "python"))

from edgekit_runtime import open_bundle  # noqa: E402  # lies in the bundle

with np.load(bundle / "check" / "inputs.npz") as arrays:
    ids = [int(token) for token in arrays["token_ids"][:tokens]]
np.save(out, open_bundle(bundle).logits(ids))
