"""Random transforms of training batches, compiled once and run on the device."""

from functools import partial
from typing import Any

import keras
import numpy as np

from asclepius.augment import intensity, spatial
from asclepius.augment.compiled import compiled
from asclepius.augment.parameters import Parameters, draw, noise_field
from asclepius.augment.settings import AugmentSettings


class Augmenter:
    """Changes batches of one shape. An image's change depends on (seed, epoch, its index) alone.

    Example:
        augmenter = Augmenter(AugmentSettings(flip=["x"], rotate=10), (28, 28, 1), batch_size=64)
        augmenter.start(count=4708, seed=1, epoch=0)
        changed = augmenter(images, indices, step=0)
    """

    def __init__(self, settings: AugmentSettings, input_shape: tuple[int, ...], batch_size: int):
        """Args:
        input_shape: of one image, (y, x, channel) or (z, y, x, channel).
        batch_size: of the largest batch; smaller ones are filled up, so that XLA compiles once.
        """
        self.settings = settings
        self.input_shape = tuple(input_shape)
        self.batch_size = batch_size
        self.moves = bool(settings.flip or settings.rotate or settings.shift or settings.zoom)
        self.active = settings.probability > 0 and bool(self.moves or settings.contrast or settings.noise)
        self._change = compiled(self._transform)
        self._change_mask = compiled(partial(spatial.warp, order=0))
        self._parameters: Parameters | None = None

    def start(self, count: int, seed: int, epoch: int) -> None:
        """Draw the parameters of all `count` images for an epoch.

        Raises:
            StudyError: the settings do not fit the image.
        """
        self._parameters = draw(self.settings, self.input_shape[:-1], count, seed, epoch)
        self._key = (seed, epoch)

    def __call__(self, images: np.ndarray, indices: np.ndarray, step: int) -> np.ndarray:
        """Change a batch.

        Args:
            images: (n, *input_shape), float32, normalised; n at most `batch_size`.
            indices: (n,), of each image among the `count` of the epoch.
            step: number of the batch in the epoch; decides the noise.
        """
        if not self.active:
            return images
        rows, n = self._filled(indices), len(images)
        field = np.zeros((), np.float32)
        if self.settings.noise:
            field = noise_field((self.batch_size, *self.input_shape), *self._key, step)
        found = self._parameters
        changed = self._change(
            self._filled(images), found.matrices[rows], found.contrast[rows], found.noise[rows], field
        )
        return keras.ops.convert_to_numpy(changed)[:n]

    def masks(self, masks: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Move masks of those images as the images move; no value appears that was not there.

        Args:
            masks: (n, y, x, channel) or (n, z, y, x, channel), any type.
        """
        if not (self.active and self.moves):
            return masks
        moved = self._change_mask(self._filled(masks), self._parameters.matrices[self._filled(indices)])
        return keras.ops.convert_to_numpy(moved)[: len(masks)]

    def _filled(self, values: np.ndarray) -> np.ndarray:
        missing = self.batch_size - len(values)
        return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values

    def _transform(self, images: Any, matrices: Any, factor: Any, deviation: Any, field: Any) -> Any:
        if self.moves:
            images = spatial.warp(images, matrices)
        if self.settings.contrast:
            images = intensity.contrast(images, factor)
        if self.settings.noise:
            images = intensity.noise(images, deviation, field)
        return images
