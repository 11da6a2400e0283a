"""The nets that are read from TFLite do what they are for: a face and a person are found where they are."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from tests.bench import nets

pytestmark = pytest.mark.nightly


def test_a_face_is_found_in_a_portrait_and_none_in_a_grey_picture() -> None:
    net = nets.opened("face-detection")
    session = onnxruntime.InferenceSession(str(net.source.path), providers=["CPUExecutionProvider"])
    [name] = net.feeds[0]
    portrait, grey = (session.run(None, {name: picture})[1] for picture in (net.feeds[0][name], net.feeds[0][name] * 0))
    assert portrait.max() > 0 > grey.max()  # logits


def test_a_person_is_told_from_the_background() -> None:
    net = nets.opened("selfie-segmentation")
    session = onnxruntime.InferenceSession(str(net.source.path), providers=["CPUExecutionProvider"])
    maps = np.stack([session.run(None, feed)[0][0, :, :, 0] for feed in net.feeds])
    assert maps[:, 160:200, 100:160].mean() > 0.9 > 0.5 > maps[:, :24, :24].mean()
