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

        return tf.function(function, jit_compile=True)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function
