"""Batches from the store: shuffled, normalised, augmented, prepared ahead on one thread."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from asclepius.augment.augmenter import Augmenter
from asclepius.augment.compiled import compiled
from asclepius.augment.parameters import generator
from asclepius.train.examples import Examples
from asclepius.train.preprocess import Preprocess
from asclepius.train.turns import Turns

_ORDER = 3  # stream of the shuffle; augmentation has 1 and 2
AHEAD = 3
MEASURED_BYTES = 1 << 28

Batch = tuple[Any, np.ndarray, np.ndarray]


class Normaliser:
    """Model input from stored values; maps that are more than an offset and a factor run compiled, on the device."""

    def __init__(self, preprocess: Preprocess, batch_size: int):
        """Args:
        batch_size: of the largest batch; smaller ones are filled up, so that XLA compiles once.
        """
        self.preprocess, self.batch_size = preprocess, batch_size
        self._compiled = compiled(self._on_device) if preprocess.heavy else None

    def __call__(self, stored: np.ndarray, measured: tuple[np.ndarray, ...]) -> np.ndarray:
        """Args:
        stored: (n, *input_shape), n at most `batch_size`.
        measured: of those images, from `Preprocess.measure`.
        """
        if self._compiled is None:
            return self.preprocess.transform(stored.astype(np.float32), measured)
        found = self._compiled(self._filled(stored), tuple(map(self._filled, measured)))
        return keras.ops.convert_to_numpy(found)[: len(stored)]

    def _on_device(self, stored: Any, measured: tuple[Any, ...]) -> Any:
        return self.preprocess.transform(keras.ops.cast(stored, "float32"), measured, keras.ops)

    def _filled(self, values: np.ndarray) -> np.ndarray:
        missing = self.batch_size - len(values)
        return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values


class Measured:
    """What a normalisation needs to know of each example: measured once, if all of it takes no more than 256 MB."""

    def __init__(self, examples: Examples, preprocess: Preprocess):
        self.examples, self.preprocess = examples, preprocess
        self._known = np.zeros(len(examples), bool)
        self._kept: tuple[np.ndarray, ...] = ()

    def __call__(self, stored: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Args:
        stored: values of those examples.
        """
        if self._known[indices].all():
            return tuple(whole[indices] for whole in self._kept)
        found = self.preprocess.measure(stored, self.examples.table.iloc[indices])
        if not self._kept:
            if sum(part[0].nbytes for part in found) * len(self._known) > MEASURED_BYTES:
                return found
            self._kept = tuple(np.empty((len(self._known), *part.shape[1:]), np.float32) for part in found)
        for whole, part in zip(self._kept, found, strict=True):
            whole[indices] = part
        self._known[indices] = True
        return found


class Epoch(keras.utils.PyDataset):
    """Which examples each batch of an epoch holds: a function of (seed, epoch, step) and nothing else.

    An epoch is cut into steps of equal size (one image more or less), so no step trains on a handful of leftovers.
    """

    def __init__(self, examples: Any, batch_size: int, turns: Turns | None = None):
        """Args:
        examples: whatever has a length and `targets`.
        turns: which come when; None for each once.
        """
        super().__init__()
        self.examples, self.turns = examples, turns
        self.steps = -(-len(examples) // batch_size)
        self.indices = np.array_split(np.arange(len(examples)), max(self.steps, 1))

    def start(self, seed: int, epoch: int) -> None:
        """Shuffle for an epoch; without this call the order is that of the examples."""
        random = generator(_ORDER, seed, epoch)
        order = self.turns.draw(random) if self.turns else random.permutation(len(self.examples))
        self.indices = np.array_split(order, self.steps)

    @property
    def largest(self) -> int:
        """Images in the largest batch."""
        return len(self.indices[0])

    def __len__(self) -> int:
        return self.steps


class Batches(Epoch):
    """(images, targets, weights) of an epoch: read, normalised and augmented."""

    def __init__(
        self,
        examples: Examples,
        normaliser: Normaliser,
        augmenter: Augmenter | None = None,
        turns: Turns | None = None,
    ):
        super().__init__(examples, normaliser.batch_size, turns)
        self.normaliser, self.augmenter = normaliser, augmenter
        self.measured = Measured(examples, normaliser.preprocess)
        self.draws = self.indices

    def start(self, seed: int, epoch: int) -> None:
        """Shuffle for an epoch, and draw its augmentation."""
        super().start(seed, epoch)
        # An image that comes again is augmented anew.
        self.draws = np.array_split(np.arange(len(self.examples)), self.steps) if self.turns else self.indices
        if self.augmenter:
            self.augmenter.start(seed, epoch)

    def __getitem__(self, step: int) -> Batch:
        indices = self.indices[step]
        stored = self.examples.read(indices)
        images = self.normaliser(stored, self.measured(stored, indices))
        batch = images, self.examples.targets[indices], self.examples.weights[indices]
        return self.augmenter(*batch, self.draws[step], step) if self.augmenter else batch


def prefetched(batches: Epoch) -> Iterator[Batch]:
    """Every batch in order; the next ones are made while the network computes."""
    with ThreadPoolExecutor(1) as worker:
        waiting = deque(worker.submit(batches.__getitem__, step) for step in range(min(AHEAD, len(batches))))
        for step in range(len(batches)):
            batch = waiting.popleft().result()
            if step + AHEAD < len(batches):
                waiting.append(worker.submit(batches.__getitem__, step + AHEAD))
            yield batch
