"""What the study asks of an image: two classes, several, or several at once."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from asclepius.provenance import write_json
from asclepius.tables import write_text

SEPARATOR = "|"


@dataclass(frozen=True)
class Task:
    """Args:
    kind: "binary", "multiclass" or "multilabel".
    classes: in the order of the network's outputs.
    positive: the class to find; None unless binary.
    """

    kind: Literal["binary", "multiclass", "multilabel"]
    classes: tuple[str, ...]
    positive: str | None = None

    @classmethod
    def read(cls, path: Path) -> "Task":
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(found["kind"], tuple(found["classes"]), found["positive"])

    def write(self, path: Path) -> None:
        write_text(path, write_json({"kind": self.kind, "classes": list(self.classes), "positive": self.positive}))

    def targets(self, labels) -> np.ndarray:
        """0/1 matrix (n, classes), float32: one 1 per row unless multi-label.

        Args:
            labels: the `label` column; several of a multi-label image joined by "|".
        """
        column = {name: i for i, name in enumerate(self.classes)}
        out = np.zeros((len(labels), len(self.classes)), dtype=np.float32)
        for row, label in enumerate(labels):
            names = label.split(SEPARATOR) if self.kind == "multilabel" else [label]
            for name in names:
                if name:
                    out[row, column[name]] = 1.0
        return out
