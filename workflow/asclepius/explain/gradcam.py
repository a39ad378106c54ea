"""Grad-CAM (Selvaraju et al., ICCV 2017) for a Keras network in 2D or 3D, on TensorFlow or JAX."""

from pathlib import Path

import keras
import numpy as np
from keras import ops

from asclepius.errors import StudyError

BATCH = 8


class GradCam:
    """Heat maps of one network.

    Args:
        model: its last feature map is the layer `features`, its head the layer `output`.

    Raises:
        StudyError: a layer is missing.
    """

    def __init__(self, model: keras.Model):
        missing = [name for name in ("features", "output") if name not in {layer.name for layer in model.layers}]
        if missing:
            raise StudyError(f"explain: the network has no layer {missing[0]!r}; a network of models/ must name it")
        features = model.get_layer("features").output
        self._head = model.get_layer("output")
        self._convolutions = keras.Model(model.inputs, features)
        self._dense = keras.Model(features, self._head.input)

    @classmethod
    def read(cls, path: Path) -> "GradCam":
        return cls(keras.saving.load_model(path, compile=False))

    def __call__(self, batch: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Where the network found what speaks for a class.

        Args:
            batch: network input, float32, shape (n, y, x, channel) or (n, z, y, x, channel).
            column: the class of each image as the number of the network's output, shape (n,).

        Returns:
            float32, not negative, at the resolution of the last feature map: (n, y, x) or (n, z, y, x).
        """
        parts = []
        for start in range(0, len(batch), BATCH):
            features = self._convolutions(ops.convert_to_tensor(batch[start : start + BATCH]), training=False)
            wanted = np.eye(self._head.output.shape[-1], dtype=np.float32)[column[start : start + BATCH]]
            gradient = self._gradient(features, wanted)
            features, gradient = (np.asarray(ops.convert_to_numpy(a), np.float32) for a in (features, gradient))
            # The importance of a feature is its gradient's mean over the image.
            importance = gradient.mean(axis=tuple(range(1, gradient.ndim - 1)), keepdims=True)
            parts.append(np.maximum((features * importance).sum(axis=-1), 0))
        return np.concatenate(parts)

    def _score(self, features, wanted: np.ndarray):
        """Sum over images of the wanted class's score before softmax or sigmoid: these saturate, it does not."""
        x = self._dense(features, training=False)
        if isinstance(self._head, keras.layers.Dense):
            x = ops.matmul(ops.cast(x, "float32"), ops.cast(self._head.kernel, "float32"))
            if self._head.use_bias:
                x = x + self._head.bias
        return ops.sum(x * wanted)

    def _gradient(self, features, wanted: np.ndarray):
        backend = keras.backend.backend()
        if backend == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                tape.watch(features)
                score = self._score(features, wanted)
            return tape.gradient(score, features)
        if backend == "jax":
            import jax

            return jax.grad(lambda f: self._score(f, wanted))(features)
        raise StudyError(f"explain: Grad-CAM needs the TensorFlow or JAX backend of Keras, found {backend}")
