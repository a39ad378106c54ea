"""Batches from the store: shuffled, normalised, augmented, prepared ahead on one thread."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from asclepius.augment.augmenter import Augmenter
from asclepius.augment.parameters import generator
from asclepius.train.examples import Examples
from asclepius.train.preprocess import Preprocess

_ORDER = 3  # stream of the shuffle; augmentation has 1 and 2
AHEAD = 3
MEASURED_BYTES = 1 << 28

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


class Normalised:
    """Model input of examples. What depends on an image alone is measured once, up to 256 MB of it."""

    def __init__(self, examples: Examples, preprocess: Preprocess):
        self.examples, self.preprocess = examples, preprocess
        self._known = np.zeros(len(examples), bool)
        self._measured: tuple[np.ndarray, ...] | None = None

    def __call__(self, indices: np.ndarray) -> np.ndarray:
        """Images of those examples, (n, *input_shape), float32."""
        stored = self.examples.read(indices)
        return self.preprocess.transform(stored.astype(np.float32), self._measure(stored, indices))

    def _measure(self, stored: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        if not self._known[indices].all():
            found = self.preprocess.measure(stored, self.examples.table.iloc[indices])
            if self._measured is None:
                size = sum(part[0].nbytes for part in found) * len(self.examples)
                if size > MEASURED_BYTES:
                    return found
                self._measured = tuple(np.empty((len(self.examples), *part.shape[1:]), np.float32) for part in found)
            for whole, part in zip(self._measured, found, strict=True):
                whole[indices] = part
            self._known[indices] = True
        return tuple(whole[indices] for whole in self._measured)


class Batches(keras.utils.PyDataset):
    """(images, targets, weights) of an epoch. Batch `step` is a function of (seed, epoch, step) and nothing else.

    An epoch is cut into steps of equal size (one image more or less), so no step trains on a handful of leftovers.
    """

    def __init__(self, examples: Examples, preprocess: Preprocess, batch_size: int, augmenter: Augmenter | None = None):
        super().__init__()
        self.examples, self.augmenter = examples, augmenter
        self.normalised = Normalised(examples, preprocess)
        self.steps = -(-len(examples) // batch_size)
        self.indices = np.array_split(np.arange(len(examples)), max(self.steps, 1))

    def start(self, seed: int, epoch: int) -> None:
        """Shuffle for an epoch; without this call the order is that of the examples."""
        order = generator(_ORDER, seed, epoch).permutation(len(self.examples))
        self.indices = np.array_split(order, self.steps)
        if self.augmenter:
            self.augmenter.start(len(self.examples), seed, epoch)

    @property
    def largest(self) -> int:
        """Images in the largest batch."""
        return len(self.indices[0])

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        indices = self.indices[step]
        images = self.normalised(indices)
        if self.augmenter:
            images = self.augmenter(images, indices, step)
        return images, self.examples.targets[indices], self.examples.weights[indices]


def prefetched(batches: Batches) -> Iterator[Batch]:
    """Every batch in order; the next ones are made while the network computes."""
    with ThreadPoolExecutor(1) as worker:
        waiting = deque(worker.submit(batches.__getitem__, step) for step in range(min(AHEAD, len(batches))))
        for step in range(len(batches)):
            batch = waiting.popleft().result()
            if step + AHEAD < len(batches):
                waiting.append(worker.submit(batches.__getitem__, step + AHEAD))
            yield batch
