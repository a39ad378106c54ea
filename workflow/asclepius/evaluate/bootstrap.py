"""Bootstrap by patient: images of one patient are not independent, so patients are drawn, never images.

Intervals are percentile intervals (Efron & Tibshirani 1993, chapter 13). They need no variance formula, stay inside
the metric's range, and serve every metric and difference alike. BCa would need a leave-one-patient-out pass per metric.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CELLS = 1 << 20  # weights held at a time, 8 bytes each: keeps 10^5 images x 1,000 draws within a few hundred MB
USABLE = 0.5  # of the draws must be defined, or there is no interval


class Draws:
    """One set of draws of a role's patients; every arm, fold, seed and subgroup is weighted by the same set.

    Args:
        patients: codes of the patients drawn from, in an order that does not depend on pseudonyms.
        number: of draws.
        seed: entropy, e.g. (seed of the config, number of the role).

    Draw 0 is the sample itself, each patient once: a statistic's first value is its estimate.
    """

    def __init__(self, patients: np.ndarray, number: int, seed: tuple[int, ...]):
        self.patients = np.unique(patients)
        self.number = number
        size = len(self.patients)
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self._times = np.ones((number + 1, size), dtype=np.uint16)
        for start in range(1, number + 1, step := max(1, CELLS // max(size, 1))):
            rows = min(step, number + 1 - start)
            drawn = generator.integers(0, size, (rows, size)) + np.arange(rows)[:, None] * size
            self._times[start : start + rows] = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)

    def chunks(self, patient: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Weights of images, some draws at a time.

        Args:
            patient: code of each image's patient, shape (images,).

        Yields:
            Which of the `number` + 1 draws, and their weights, float64, shape (some draws, images).
        """
        column = np.searchsorted(self.patients, patient)
        step = max(1, CELLS // max(len(patient), 1))
        for start in range(0, self.number + 1, step):
            part = slice(start, min(start + step, self.number + 1))
            yield part, self._times[part][:, column].astype(np.float64)


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float
    note: str


def interval(draws: np.ndarray, confidence: float, centred: bool = False) -> Interval:
    """Estimate and percentile interval of one statistic.

    Args:
        centred: for distances, which cannot fall below 0: noise adds to them, so that draws lie above the estimate, at
            worst all of them. They are first moved so that their median is the estimate, which takes the bias out as
            the bootstrap shows it (ibid., chapter 10, with the median since slopes have long tails).
        draws: shape (number + 1,); the first is the estimate. NaN where a draw left the statistic undefined,
            e.g. with one class only: such draws are left out, and the note says how many.
    """
    value, rest = float(draws[0]), draws[1:]
    if np.isnan(value):
        return Interval(
            value,
            np.nan,
            np.nan,
            "undefined on these images: a class is missing, never called, or (slope) told apart without error",
        )
    defined = rest[~np.isnan(rest)]
    lost = len(rest) - len(defined)
    note = f"{lost} of {len(rest)} draws were undefined and left out" if lost else ""
    if len(defined) < USABLE * len(rest):
        return Interval(value, np.nan, np.nan, f"no interval: {note}")
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    if centred:
        bias = float(np.median(defined)) - value
        low, high = low - bias, high - bias
    return Interval(value, float(low), float(high), note)
