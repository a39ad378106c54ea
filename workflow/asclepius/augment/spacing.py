"""Pixels need not be cubes."""

import json

import numpy as np
import pandas as pd


def usual_spacing(column: pd.Series) -> tuple[float, ...] | None:
    """The median spacing of images, mm, (y, x) or (z, y, x); None where none tells its own.

    Args:
        column: `spacing` of quality/images, JSON or null.
    """
    known = [json.loads(text) for text in column.dropna() if text]
    return tuple(np.median(known, axis=0).tolist()) if known else None
