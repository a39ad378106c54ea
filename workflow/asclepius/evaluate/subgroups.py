"""Groups of images to report apart: sex, site, age in bands, or any further column of the cohort."""

import numpy as np
import pandas as pd

from asclepius.errors import StudyError

BANDS = ((0, 18, "under 18"), (18, 40, "18-39"), (40, 65, "40-64"), (65, np.inf, "65 and over"))  # years
FEWEST = 10  # patients; below it a figure would say more about chance than about the group
MOST = 30  # groups of one column
UNKNOWN = "unknown"


def memberships(images: pd.DataFrame, wanted: list[str]) -> dict[str, np.ndarray]:
    """Groups by name, e.g. "sex=F", "age=40-64": which rows of `images` belong, bool, shape (images,).

    Args:
        images: table quality/images.
        wanted: columns; a further column of the cohort is found with or without its "x_".

    Raises:
        StudyError: no such column, or one with too many different values.
    """
    found = {}
    for name in wanted:
        column = name if name in images.columns else f"x_{name}"
        if column not in images.columns:
            known = [c for c in ("age", "sex", "site", "scanner", "modality", "visit") if c in images.columns]
            known += sorted(c for c in images.columns if c.startswith("x_"))
            raise StudyError(
                f"config: evaluate.subgroups: no column {name!r} among the images; known: {', '.join(known)} "
                "(cohort.columns lets further columns pass)"
            )
        values = _bands(images[column]) if column == "age" else _texts(images[column])
        names = [band for *_, band in BANDS if band in set(values)] if column == "age" else sorted(set(values))
        names = [text for text in names if text != UNKNOWN] + ([UNKNOWN] if UNKNOWN in set(values) else [])
        if len(names) > MOST:
            raise StudyError(
                f"config: evaluate.subgroups: column {name!r} has {len(names)} different values, at most {MOST} can be "
                "groups; group them in the label table"
            )
        found |= {f"{name}={text}": values == text for text in names}
    return found


def _bands(ages: pd.Series) -> np.ndarray:
    years = pd.to_numeric(ages, errors="coerce").to_numpy(np.float64)
    out = np.full(len(years), UNKNOWN, dtype=object)
    for low, high, name in BANDS:
        out[(years >= low) & (years < high)] = name
    return out


def _texts(column: pd.Series) -> np.ndarray:
    return np.array([UNKNOWN if pd.isna(value) else str(value) for value in column], dtype=object)
