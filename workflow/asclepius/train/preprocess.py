"""From stored values to a model's input: one linear map per channel, fitted on real training images."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asclepius.errors import StudyError
from asclepius.provenance import digest, write_json
from asclepius.tables import write_text
from asclepius.task import Task
from asclepius.train.settings import TrainSettings

BINS = 65536
Batches = Callable[[], Iterator[np.ndarray]]


@dataclass(frozen=True)
class Preprocess:
    """(stored value - offset) / scale, cut to 0..1 if `clip`; written beside each model.

    Args:
        method: standardise, scale or window, as in the `train` section.
        offset: per channel, in stored units (HU or raw values).
        scale: per channel, in stored units.
        clip: whether results are cut to 0..1.
        input_shape: of one image, (y, x, channel) or (z, y, x, channel).
        task: classes in the order of the model's outputs.
        images: digest of the images it was fitted to; None if nothing was fitted (a fixed window).
        n: how many those were.
    """

    method: str
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    clip: bool
    input_shape: tuple[int, ...]
    task: Task
    images: str | None
    n: int

    @classmethod
    def fit(
        cls,
        settings: TrainSettings,
        batches: Batches,
        images: list[str],
        input_shape: tuple[int, ...],
        task: Task,
    ) -> "Preprocess":
        """Fit to the real training images of a fold.

        Args:
            batches: called for each pass over the data; yields stored arrays (n, ..., channel).
            images: names of exactly those images.
        """
        channels = input_shape[-1]
        if settings.normalise == "window":
            low, high = settings.window
            return cls("window", (low,) * channels, (high - low,) * channels, True, input_shape, task, None, 0)
        if settings.normalise == "standardise":
            offset, scale = _moments(batches, channels)
        else:
            low, high = _percentiles(batches, channels, (0.01, 0.99))
            offset, scale = low, high - low
        scale = np.where(scale > 0, scale, 1.0)  # a constant channel becomes 0, not NaN
        clip = settings.normalise == "scale"
        fitted = (tuple(map(float, offset)), tuple(map(float, scale)))
        return cls(settings.normalise, *fitted, clip, input_shape, task, digest(images), len(images))

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Stored arrays (n, *input_shape) as model input, float32.

        Raises:
            StudyError: the images have another shape than those the model was fitted to.
        """
        if batch.shape[1:] != self.input_shape:
            raise StudyError(
                f"the model takes images of shape {list(self.input_shape)}, found {list(batch.shape[1:])}; "
                "resample them as the study did"
            )
        out = np.subtract(batch, np.asarray(self.offset, np.float32), dtype=np.float32)
        out *= np.float32(1) / np.asarray(self.scale, np.float32)
        return np.clip(out, 0, 1, out=out) if self.clip else out

    def write(self, path: Path) -> None:
        task = {"kind": self.task.kind, "classes": list(self.task.classes), "positive": self.task.positive}
        values = {
            "method": self.method,
            "offset": list(self.offset),
            "scale": list(self.scale),
            "clip": self.clip,
            "input_shape": list(self.input_shape),
            "task": task,
            "fitted": {"images": self.images, "n": self.n},
        }
        write_text(path, write_json(values))

    @classmethod
    def read(cls, path: Path) -> "Preprocess":
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        task = found["task"]
        return cls(
            found["method"],
            tuple(found["offset"]),
            tuple(found["scale"]),
            found["clip"],
            tuple(found["input_shape"]),
            Task(task["kind"], tuple(task["classes"]), task["positive"]),
            found["fitted"]["images"],
            found["fitted"]["n"],
        )


def _moments(batches: Batches, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel in one pass (Chan et al. 1979)."""
    count, mean, squares = 0, np.zeros(channels), np.zeros(channels)
    for batch in batches():
        values = batch.reshape(-1, channels).astype(np.float64)
        n, centre = len(values), values.mean(axis=0)
        step = centre - mean
        squares += ((values - centre) ** 2).sum(axis=0) + step**2 * count * n / (count + n)
        mean = mean + step * n / (count + n)
        count += n
    return mean, np.sqrt(squares / count)


def _percentiles(batches: Batches, channels: int, shares: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """Percentiles per channel in two passes, to within 1/65,536 of the range; exact for 8- and 16-bit integers."""
    low, high, whole = np.full(channels, np.inf), np.full(channels, -np.inf), True
    for batch in batches():
        values = batch.reshape(-1, channels)
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
        whole = whole and np.issubdtype(batch.dtype, np.integer)
    width = np.where(high > low, high - low, 1.0) / (BINS - 1)
    if whole and (high - low).max() < BINS:
        width = np.ones(channels)
    counts = np.zeros((channels, BINS), np.int64)
    for batch in batches():
        bins = np.floor((batch.reshape(-1, channels) - low) / width + 0.5).astype(np.int64)
        for channel in range(channels):
            counts[channel] += np.bincount(bins[:, channel], minlength=BINS)
    reached = counts.cumsum(axis=1)
    total = reached[0, -1]
    return tuple(
        np.array([low[c] + width[c] * np.searchsorted(reached[c], share * total) for c in range(channels)])
        for share in shares
    )
