"""The types of a GGUF's tensors, as ggml numbers them: a header is read without the package that undoes them.

Source: the gguf package's GGMLQuantizationType and GGML_QUANT_SIZES, which
tests/unit/jobs/test_gguf_types.py holds this against, type for type.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantization:
    """One type of tensor.

    Attributes:
        block: how many values are quantized together.
        nbytes: of one block.
        readable: whether the gguf package undoes it.
    """

    name: str
    block: int
    nbytes: int
    readable: bool = True


TYPES = {
    0: Quantization("F32", 1, 4),
    1: Quantization("F16", 1, 2),
    2: Quantization("Q4_0", 32, 18),
    3: Quantization("Q4_1", 32, 20),
    6: Quantization("Q5_0", 32, 22),
    7: Quantization("Q5_1", 32, 24),
    8: Quantization("Q8_0", 32, 34),
    9: Quantization("Q8_1", 32, 40, readable=False),
    10: Quantization("Q2_K", 256, 84),
    11: Quantization("Q3_K", 256, 110),
    12: Quantization("Q4_K", 256, 144),
    13: Quantization("Q5_K", 256, 176),
    14: Quantization("Q6_K", 256, 210),
    15: Quantization("Q8_K", 256, 292, readable=False),
    16: Quantization("IQ2_XXS", 256, 66),
    17: Quantization("IQ2_XS", 256, 74),
    18: Quantization("IQ3_XXS", 256, 98),
    19: Quantization("IQ1_S", 256, 50),
    20: Quantization("IQ4_NL", 32, 18),
    21: Quantization("IQ3_S", 256, 110),
    22: Quantization("IQ2_S", 256, 82),
    23: Quantization("IQ4_XS", 256, 136),
    24: Quantization("I8", 1, 1, readable=False),
    25: Quantization("I16", 1, 2, readable=False),
    26: Quantization("I32", 1, 4, readable=False),
    27: Quantization("I64", 1, 8, readable=False),
    28: Quantization("F64", 1, 8, readable=False),
    29: Quantization("IQ1_M", 256, 56),
    30: Quantization("BF16", 1, 2),
    34: Quantization("TQ1_0", 256, 54),
    35: Quantization("TQ2_0", 256, 66),
    39: Quantization("MXFP4", 32, 17),
    40: Quantization("NVFP4", 64, 36),
    41: Quantization("Q1_0", 128, 18, readable=False),
}
