"""Fields of random numbers made on the device: an image's depends on its key alone, on every backend."""

import math
from typing import Any

import numpy as np
from keras import ops


def normal(keys: Any, shape: tuple[int, ...]) -> Any:
    """Standard normal numbers, at most 5.2 either way.

    Each pixel's number is a hash of its place and the key (two rounds of an integer mix by C. Wellons, "lowbias32"),
    taken through the inverse of the normal distribution. No backend's generator gives the same numbers on another, and
    TensorFlow's takes over a hundred times as long under XLA on a CPU.

    Args:
        keys: (n, 2), uint32.
        shape: of one field.

    Returns:
        (n, *shape), float32.
    """
    count = math.prod(shape)
    words = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
    words = _mixed(ops.bitwise_xor(_mixed(words + keys[:, :1]), keys[:, 1:]))
    # 23 bits and a half: exact in float32, never 0 and never 1.
    even = (ops.cast(ops.right_shift(words, np.uint32(9)), "float32") + 0.5) * np.float32(2.0**-22) - 1.0
    return ops.reshape(ops.erfinv(even) * np.float32(math.sqrt(2)), (-1, *shape))


def _mixed(words: Any) -> Any:
    words = ops.bitwise_xor(words, ops.right_shift(words, np.uint32(16))) * np.uint32(0x7FEB352D)
    words = ops.bitwise_xor(words, ops.right_shift(words, np.uint32(15))) * np.uint32(0x846CA68B)
    return ops.bitwise_xor(words, ops.right_shift(words, np.uint32(16)))
