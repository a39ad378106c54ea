"""The steps a normalisation is made of: fitting them in turn, and keeping them as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from asclepius.task import Task
from asclepius.train.normalise.affine import Own, Shared
from asclepius.train.normalise.clahe import Clahe
from asclepius.train.normalise.harmonise import CONFOUNDED, Harmonise, cramers_v, usable_groups
from asclepius.train.normalise.nyul import Nyul
from asclepius.train.normalise.streams import Batches
from asclepius.train.settings import Method, TrainSettings


class Step(Protocol):
    """One map of intensities. What depends on an image alone is measured once; the map itself may run on a device."""

    heavy: ClassVar[bool]

    def measure(self, images: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """What the map needs of each image, (n, ...), float32.

        Args:
            images: (n, ..., channel): stored values, or what the step before made of them.
            groups: (n,) site or scanner, None where unknown.
        """

    def transform(self, images: Any, measured: Any, xp: Any = np) -> Any:
        """The images mapped, float32.

        Args:
            images: float32.
            measured: from `measure`.
            xp: numpy or keras.ops.
        """


KINDS: dict[str, type[Step]] = {
    "shared": Shared,
    "own": Own,
    "nyul": Nyul,
    "clahe": Clahe,
    "harmonise": Harmonise,
}


def fit_harmonise(
    settings: TrainSettings, batches: Batches, table: pd.DataFrame, task: Task
) -> tuple[Harmonise | None, list[str]]:
    """The step that brings sites together, and what must be said of it.

    Args:
        table: rows of quality/images, one per image of the batches.
    """
    column = settings.harmonise
    groups = table[column].to_numpy(object)
    names = usable_groups(groups)
    others = [str(name) for name in pd.unique(groups) if name is not None and name not in names]
    targets = task.targets(table["label"])
    step = Harmonise.fit(column, batches, groups, targets, settings.percentiles, settings.foreground or "above_mean")
    if step is None:
        return None, [f"harmonise: training holds {len(names)} {column}s with enough images; nothing was harmonised"]
    notes = []
    if others:
        notes.append(f"harmonise: too few training images of {column} {', '.join(others)}; they stay as they are")
    known = pd.Series(groups).isin(names).to_numpy()
    tied = cramers_v(groups[known], targets[known])
    if tied >= CONFOUNDED:
        notes.append(
            f"harmonise: class and {column} go together (Cramér's V {tied:.2f}): what is taken for a difference of "
            f"{column}s may be one of classes"
        )
    return step, notes


def fit_method(method: Method, settings: TrainSettings, batches: Batches, channels: int) -> Step:
    """The step that a method is. What is fitted sees the batches alone."""
    ends, foreground = settings.percentiles, settings.foreground
    match method:
        case "standardise":
            return Shared.standardise(batches, channels)
        case "scale":
            return Shared.between_percentiles(batches, channels, ends)
        case "window":
            return Shared.window(*settings.window, channels)
        case "zscore":
            return Own("moments", foreground or "above_mean", ends)
        case "percentile":
            return Own("percentiles", foreground or "all", ends)
        case "nyul":
            return Nyul.fit(batches, ends, foreground or "above_mean")
        case "clahe":
            return Clahe(settings.clahe_tiles, settings.clahe_limit, ends)
    raise ValueError(f"normalise: {method!r} is no method")


FITTED = frozenset({"standardise", "scale", "nyul"})


def after(step: Step, batches: Batches, groups: np.ndarray) -> Batches:
    """The batches as a step leaves them."""

    def mapped() -> Iterator[np.ndarray]:
        start = 0
        for batch in batches():
            part = groups[start : start + len(batch)]
            start += len(batch)
            yield step.transform(batch.astype(np.float32), step.measure(batch, part))

    return mapped


def as_json(step: Step) -> dict[str, Any]:
    kind = next(name for name, known in KINDS.items() if isinstance(step, known))
    return {"kind": kind} | asdict(step)


def from_json(values: dict[str, Any]) -> Step:
    return KINDS[values["kind"]](**{name: _frozen(value) for name, value in values.items() if name != "kind"})


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return {name: _frozen(each) for name, each in value.items()}
    return value
