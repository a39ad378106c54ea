"""From stored values to a model's input: what was fitted on a fold's training images, and how it is applied."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asclepius.columns import Columns
from asclepius.errors import StudyError
from asclepius.provenance import digest, write_json
from asclepius.tables import write_text
from asclepius.task import Task
from asclepius.train.normalise.choose import choose
from asclepius.train.normalise.steps import FITTED, Step, after, as_json, fit_harmonise, fit_method, from_json
from asclepius.train.normalise.streams import Batches
from asclepius.train.settings import TrainSettings

NONE = "none"


@dataclass(frozen=True)
class Preprocess:
    """Steps that map intensities, and columns of the table; written beside each model.

    Args:
        method: as in the `train` section, never auto; none without pixels.
        why: the reason, and what must be said of the fit.
        steps: applied in turn.
        input_shape: of one image, (y, x, channel) or (z, y, x, channel).
        task: classes in the order of the model's outputs.
        group: column that tells an image's site or scanner; None if no step asks.
        columns: table values that are input as well; None if there are none.
        pixels: whether the image is input at all.
        images: digest of the images it was fitted to; None if nothing was fitted.
        n: how many those were.
    """

    method: str
    why: tuple[str, ...]
    steps: tuple[Step, ...]
    input_shape: tuple[int, ...]
    task: Task
    group: str | None = None
    columns: Columns | None = None
    pixels: bool = True
    images: str | None = None
    n: int = 0

    @classmethod
    def fit(
        cls,
        settings: TrainSettings,
        batches: Batches,
        table: pd.DataFrame,
        input_shape: tuple[int, ...],
        task: Task,
        columns: list[str] | None = None,
        pixels: bool = True,
    ) -> "Preprocess":
        """Fit to the real training images of a fold.

        Args:
            batches: called for each pass over the data; yields stored arrays (n, ..., channel).
            table: rows of quality/images, of exactly those images in that order.
            columns: table values that the model takes.

        Raises:
            StudyError: a column has no values, or sites cannot be told from classes.
        """
        taken = Columns.fit(columns, table) if columns else None
        method, why, steps, group = NONE, ["the model takes no pixels"], [], None
        if pixels:
            method, why, steps, group = _fit_steps(settings, batches, table, input_shape[-1], task)
        fitted = method in FITTED or group is not None or taken is not None
        images, n = (digest(table["image"]), len(table)) if fitted else (None, 0)
        return cls(method, tuple(why), tuple(steps), input_shape, task, group, taken, pixels, images, n)

    @property
    def fitted(self) -> list[str]:
        """What was fitted, for fits.json."""
        found = ["normalisation"] if self.method in FITTED else []
        found += ["harmonisation"] if self.group else []
        return found + (["table columns"] if self.columns else [])

    @property
    def heavy(self) -> bool:
        """Whether a map is more than an offset and a factor, so that compiling it pays."""
        return any(step.heavy for step in self.steps)

    def measure(self, batch: np.ndarray, table: pd.DataFrame | None = None) -> tuple[np.ndarray, ...]:
        """What each step needs to know of each image; it depends on the image alone.

        Args:
            batch: stored arrays (n, *input_shape).
            table: rows of quality/images of those images; without them every site is unknown.

        Raises:
            StudyError: the images have another shape than those the model was fitted to.
        """
        if batch.shape[1:] != self.input_shape:
            raise StudyError(
                f"the model takes images of shape {list(self.input_shape)}, found {list(batch.shape[1:])}; "
                "resample them as the study did"
            )
        groups = np.full(len(batch), None)
        if self.group and table is not None:
            groups = table[self.group].to_numpy(object)
        found = []
        for number, step in enumerate(self.steps):
            if number:
                batch = self.steps[number - 1].transform(batch.astype(np.float32), found[-1])
            found.append(step.measure(batch, groups))
        return tuple(found)

    def transform(self, images: Any, measured: tuple[Any, ...], xp: Any = np) -> Any:
        """Model input from images and what was measured of them, by NumPy or by keras.ops.

        Args:
            images: (n, *input_shape), float32, stored values.
        """
        for step, values in zip(self.steps, measured, strict=True):
            images = step.transform(images, values, xp)
        return images

    def apply(self, batch: np.ndarray, table: pd.DataFrame | None = None) -> np.ndarray:
        """Stored arrays (n, *input_shape) as model input, float32; arguments and errors as of `measure`."""
        return self.transform(batch.astype(np.float32), self.measure(batch, table))

    def unknown_groups(self, table: pd.DataFrame) -> int:
        """How many of these images are of a site that was not harmonised in training."""
        if not self.group:
            return 0
        return int((~table[self.group].isin(list(self.steps[0].shift))).sum())

    def write(self, path: Path) -> None:
        task = {"kind": self.task.kind, "classes": list(self.task.classes), "positive": self.task.positive}
        values = {
            "method": self.method,
            "why": list(self.why),
            "steps": [as_json(step) for step in self.steps],
            "input_shape": list(self.input_shape),
            "task": task,
            "group": self.group,
            "columns": self.columns.as_json() if self.columns else None,
            "pixels": self.pixels,
            "fitted": {"images": self.images, "n": self.n},
        }
        write_text(path, write_json(values))

    @classmethod
    def read(cls, path: Path) -> "Preprocess":
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        task = found["task"]
        return cls(
            found["method"],
            tuple(found["why"]),
            tuple(map(from_json, found["steps"])),
            tuple(found["input_shape"]),
            Task(task["kind"], tuple(task["classes"]), task["positive"]),
            found["group"],
            Columns.from_json(found["columns"]) if found["columns"] else None,
            found["pixels"],
            found["fitted"]["images"],
            found["fitted"]["n"],
        )


def _fit_steps(
    settings: TrainSettings, batches: Batches, table: pd.DataFrame, channels: int, task: Task
) -> tuple[str, list[str], list[Step], str | None]:
    """Method, reasons, steps and the column that tells the site; each step sees what the one before made."""
    choice = choose(settings, table)
    why, steps, group = [choice.why], [], None
    if settings.harmonise != "none":
        step, notes = fit_harmonise(settings, batches, table, task)
        why += notes
        if step:
            group = settings.harmonise
            batches = after(step, batches, table[group].to_numpy(object))
            steps.append(step)
    steps.append(fit_method(choice.method, settings, batches, channels))
    return choice.method, why, steps, group
