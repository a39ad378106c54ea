"""Whole-function compilation by XLA, whichever backend Keras runs on."""

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled once per shape of its array arguments.

    Keras compiles models only; Keras' own image layers drop `jit_compile` on TensorFlow with a mere warning.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def when(used: Any, function: Callable[[Any], Any], images: Any) -> Any:
    """`function(images)` where any image of the batch asks for it; else the images, and nothing is computed.

    What stands in a branch is compiled by itself. Else XLA would fuse a step with each thing that reads its result, and
    compute a warp up to eight times over.

    Args:
        used: (n,), whether each image does.
    """
    return keras.ops.cond(keras.ops.any(used), lambda: function(images), lambda: images)
