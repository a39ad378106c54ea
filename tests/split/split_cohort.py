"""Small quality/images tables for the tests of the split."""

import numpy as np
import pandas as pd

from asclepius.quality.schema import IMAGES

FILL = {"str": None, "int": 0, "float": float("nan"), "bool": False}


def table(patient, label, content=None, **columns) -> pd.DataFrame:
    """One image per entry; `content` numbers the pixel content, by default all different."""
    n = len(patient)
    rows = pd.DataFrame({name: [FILL[kind]] * n for name, kind in IMAGES.columns.items()})
    rows["image"] = [f"{i:016x}" for i in range(n)]
    rows["patient"] = [f"P-{p:010x}" for p in patient]
    rows["label"] = list(label)
    rows["content"] = [f"{c:064x}" for c in (range(n) if content is None else content)]
    rows["position"] = np.arange(n)
    for name in ("shape", "original_shape"):
        rows[name] = "[4, 4]"
    for name, values in columns.items():
        rows[name] = list(values)
    return rows
