"""What a source holds before labels are matched: one row per image, and what could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from asclepius.cohort.schema import MANIFEST, REJECTED
from asclepius.errors import Rejected

# Beside the manifest's columns, what a label table may name: paths for key "file", UIDs for "study" and "series".
KEYS = ("file", "study", "series")
DEFAULTS: Mapping[str, Any] = {"row": -1, "files": '["."]', "age": np.nan}


@dataclass
class Inventory:
    """Args:
    images: the manifest's columns without shard, and `KEYS`. `label` is what folders or the file itself say;
        `patient` and `visit` are null where the source knows none.
    rejected: rows of REJECTED.
    notes: lines for the log.
    """

    images: pd.DataFrame
    rejected: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def images(count: int, **columns: Any) -> pd.DataFrame:
    """A table of `count` images; columns not given hold their default or null."""
    data = {}
    for name in [*(c for c in MANIFEST.columns if c not in ("shard", "stamp")), *KEYS]:
        kind = {"int": "int64", "float": "float64"}.get(MANIFEST.columns.get(name, "str"), "str")
        value = columns.pop(name, DEFAULTS.get(name))
        if value is None or np.isscalar(value):
            value = [value] * count
        data[name] = pd.Series(value, dtype=kind)
    if columns:
        raise TypeError(f"no such columns: {sorted(columns)}")
    return pd.DataFrame(data)


class Rejects:
    """Collects what a source leaves out."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str | None]] = []

    def add(self, source: str, path: str, rejected: Rejected, patient: str | None = None) -> None:
        self.rows.append(
            {
                "source": source,
                "path": path,
                "patient": patient,
                "reason": rejected.reason,
                "sentence": rejected.sentence,
            }
        )

    def frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.rows) if self.rows else REJECTED.empty()
        return frame.astype("str")
