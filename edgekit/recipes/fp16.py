"""float16 weights and arithmetic with float32 inputs and outputs; named operators stay float32."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.tensor import TensorSettings
from edgekit.model import Model
from edgekit.recipes import _graph, _static

KIND = "tensor"
PRECISION = "float16"
SUMMARY = "float16 weights and arithmetic; float32 at both ends and in the operators that need it"
CALIBRATED = False

# What ONNX Runtime's converter leaves by itself (float16.py, DEFAULT_OP_BLOCK_LIST): naming a list replaces it.
# fmt: off
WITHOUT_FLOAT16 = (
    "ArrayFeatureExtractor", "Binarizer", "CastMap", "CategoryMapper", "DictVectorizer", "FeatureVectorizer",
    "Imputer", "LabelEncoder", "LinearClassifier", "LinearRegressor", "Normalizer", "OneHotEncoder",
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    "SVMClassifier", "SVMRegressor", "Scaler", "TreeEnsembleClassifier",
    "TreeEnsembleRegressor", "TreeEnsemble", "ZipMap", "NonMaxSuppression", "TopK", "RoiAlign", "Range", "CumSum",
    "Min", "Max", "Upsample",
)
# fmt: on


def passes(model: Model, settings: TensorSettings) -> list[dict[str, Any]]:
    """Static shapes where the target needs them, shape inference, then the conversion."""
    convert = {
        "type": "EdgekitFloat16",
        "keep_io_types": True,
        "op_block_list": sorted({*WITHOUT_FLOAT16, *settings.keep_float32}),
        "use_symbolic_shape_infer": False,
    }
    return [*_static.fixed(model, settings), *_graph.prepare(model, fold=False), convert]
