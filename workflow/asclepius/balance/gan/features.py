"""Features in which synthetic images are compared with real ones: those of a small network that knows the classes."""

import math

import keras
import numpy as np

from asclepius.augment.parameters import generator as stream
from asclepius.balance.gan.grid import Scale
from asclepius.balance.gan.networks import one_hot
from asclepius.models import registry
from asclepius.models.settings import ModelSettings
from asclepius.task import Task

_BATCH = 7  # stream
EPOCHS, STEPS = 15, (50, 400)  # so many passes over the images, within these bounds
BATCH, RATE = 64, 1e-3
FILTERS = {2: 16, 3: 8}
BLOCKS = 3
CHUNK = 256


class Features:
    """A convnet fitted to training images of a fold, as many of each class in a batch; its dense layer is read.

    A network of photographs would be the custom (Inception) but needs a download, has three channels and two
    dimensions, and knows nothing of medicine.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, task: Task, scale: Scale, seed: int):
        """Args:
        images: (n, *shape), stored values of all training images.
        labels: (n,) class numbers.
        scale: from the store to the grid on which images are compared.
        """
        self.scale = scale
        blocks = min(BLOCKS, int(math.log2(max(scale.drawn))))
        model = ModelSettings(blocks=blocks, filters=FILTERS[len(scale.drawn)])
        network = registry.build(model, (*scale.drawn, images.shape[-1]), task, seed)
        network.compile(keras.optimizers.Adam(RATE), "categorical_crossentropy", jit_compile=False)
        members = [np.flatnonzero(labels == number) for number in range(len(task.classes))]
        for step in range(int(np.clip(EPOCHS * len(images) / BATCH, *STEPS))):
            random = stream(_BATCH, seed, step)
            drawn = np.resize(random.permutation(len(members)), BATCH)
            rows = np.array([random.choice(members[label]) for label in drawn])
            network.train_on_batch(scale.to_unit(images[rows]), one_hot(drawn, len(members)))
        self._network = keras.Model(network.input, network.get_layer("dense").output)
        found = self._raw(images)
        weight = 1 / np.bincount(labels)[labels]  # each class counts as much, as in the fit
        self._mean = np.average(found, axis=0, weights=weight)
        self._spread = np.sqrt(np.average((found - self._mean) ** 2, axis=0, weights=weight)) + 1e-6

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features (n, units) of stored images, standardised over the classes of the training images."""
        return (self._raw(images) - self._mean) / self._spread

    def _raw(self, images: np.ndarray) -> np.ndarray:
        parts = [
            self._network.predict_on_batch(self.scale.to_unit(images[start : start + CHUNK]))
            for start in range(0, len(images), CHUNK)
        ]
        return np.concatenate(parts).astype(np.float64)
