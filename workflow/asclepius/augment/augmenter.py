"""Random transforms of training batches, compiled once and run on the device."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import keras
import numpy as np

from asclepius.augment import mixing, spatial
from asclepius.augment.amounts import AXES, Amounts, check
from asclepius.augment.boxes import around_shown
from asclepius.augment.compiled import compiled
from asclepius.augment.parameters import PARTNERS, Draws, generator
from asclepius.augment.presets import resolved
from asclepius.augment.settings import AugmentSettings
from asclepius.augment.steps import change, follow
from asclepius.errors import StudyError

_GEOMETRY = ("matrices", "control")


@cache
def _program(bias_order: int, phase: tuple[tuple[str, int], ...]) -> Callable[..., Any]:
    """Kept, so that the runs of a pack compile once; it is compiled anew for other shapes and other transforms."""
    return compiled(partial(change, bias_order=bias_order, phase=dict(phase)))


@cache
def _masks() -> Callable[..., Any]:
    return compiled(follow)


@cache
def _places(shape: tuple[int, ...]) -> Callable[..., Any]:
    return compiled(lambda found: spatial.places(shape, found["matrices"], found.get("control")))


class Augmenter:
    """Changes batches of one shape. An image's change depends on (seed, epoch, its index) alone; its partner, where
    images are mixed, on (seed, epoch, step).

    Example:
        augmenter = Augmenter(AugmentSettings(flip=["x"], rotate=[-10, 10]), (28, 28, 1), batch_size=64)
        augmenter.start(seed=1, epoch=0)
        images, targets, weights = augmenter(images, targets, weights, indices, step=0)
    """

    def __init__(
        self,
        settings: AugmentSettings,
        input_shape: tuple[int, ...],
        batch_size: int,
        spacing: tuple[float, ...] | None = None,
    ):
        """Args:
        input_shape: of one image, (y, x, channel) or (z, y, x, channel).
        batch_size: of the largest batch; smaller ones are filled up, so that XLA compiles once.
        spacing: of pixels, (y, x) or (z, y, x), so that turned volumes keep their form; None: all alike.

        Raises:
            StudyError: the settings do not fit the image.
        """
        self.input_shape, self.batch_size = tuple(input_shape), batch_size
        shape = self.input_shape[:-1]
        self.settings = resolved(settings, len(shape))
        check(self.settings, shape)
        self.active = self.settings.active
        self.spacing = spacing
        named = self.settings.transforms
        self._mixes = bool({"mixup", "cutmix"} & named.keys())
        axes = AXES[-len(shape) :]
        phase = {name: axes.index(named[name].axis) for name in ("motion", "ghosting") if name in named}
        order = named["bias_field"].order if "bias_field" in named else 0
        self._change = _program(order, tuple(phase.items()))
        self._key = (0, 0)

    def start(self, seed: int, epoch: int) -> None:
        """What decides the draws from now on."""
        self._key = (seed, epoch)

    def __call__(
        self, images: np.ndarray, targets: np.ndarray, weights: np.ndarray, indices: np.ndarray, step: int
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """Change a batch.

        Args:
            images: (n, *input_shape), float32, normalised; n at most `batch_size`.
            targets: (n, classes), 0..1.
            weights: (n,), of each example's loss.
            indices: (n,), of each image in the training table.
            step: number of the batch in the epoch; decides which images are mixed.

        Returns:
            The same three, the images as a tensor that stays on the device, from where training takes it: to fetch
            32 volumes of 64 x 64 x 64 from a GPU took five times as long as to change them. Targets and weights
            differ where images are mixed.
        """
        if not self.active:
            return images, targets, weights
        n, amounts = len(images), self._drawn(indices)
        found = amounts.all()
        if self._mixes:
            partners = generator(PARTNERS, *self._key, step).permutation(n)
            mixed, shares = amounts.mixing(partners)
            found |= mixed
            for share in shares:
                targets, weights = mixing.mixed_targets(targets, weights, partners, share)
        changed = self._change(self._filled(images), self._all_filled(found))
        return (changed if n == self.batch_size else changed[:n]), targets, weights

    def masks(self, masks: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Masks as their images move; no value appears that was not there, but 0 in boxes that are cut out.

        Args:
            masks: (n, y, x, channel) or (n, z, y, x, channel), any type.

        Raises:
            StudyError: images are mixed.
        """
        found = self._geometry(indices)
        if not found:
            return masks
        moved = _masks()(self._filled(masks), self._all_filled(found))
        return keras.ops.convert_to_numpy(moved)[: len(masks)]

    def boxes(self, boxes: list[np.ndarray], indices: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes as their images move: around all pixels that are left of each, as of a mask.

        Args:
            boxes: for each image (m, 6), [x0, y0, z0, x1, y1, z1] in pixels, upper end exclusive; z of a 2D image
                is 0 to 1.

        Returns:
            For each image the boxes of which a pixel is left, and their numbers.

        Raises:
            StudyError: images are mixed.
        """
        found = self._geometry(indices)
        if not found:
            return [(np.asarray(own), np.arange(len(own))) for own in boxes]
        shape, n = self.input_shape[:-1], len(indices)
        if "matrices" in found:
            moving = {name: found[name] for name in _GEOMETRY if name in found}
            places = [np.floor(np.asarray(place)[:n] + 0.5) for place in _places(shape)(self._all_filled(moving))]
        else:
            grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).reshape(len(shape), -1)
            places = [np.tile(axis, (n, 1)) for axis in grid]
        seen = np.ones((n, *shape), bool)
        if "cutout_lower" in found:
            hidden = mixing.inside(found["cutout_lower"], found["cutout_upper"], shape)
            seen &= ~np.asarray(hidden)[..., 0]
        return [
            around_shown(np.asarray(own).reshape(-1, 6), [place[number] for place in places], seen[number])
            for number, own in enumerate(boxes)
        ]

    def _drawn(self, indices: np.ndarray) -> Amounts:
        return Amounts(self.settings, self.input_shape[:-1], self.spacing, Draws(*self._key, indices))

    def _geometry(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        if self._mixes:
            raise StudyError("augment: masks and boxes cannot be mixed; leave out mixup and cutmix")
        if not self.active:
            return {}
        found = self._drawn(indices).all()
        return {name: found[name] for name in (*_GEOMETRY, "cutout_lower", "cutout_upper") if name in found}

    def _all_filled(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: self._filled(values) for name, values in found.items()}

    def _filled(self, values: np.ndarray) -> np.ndarray:
        missing = self.batch_size - len(values)
        return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values
