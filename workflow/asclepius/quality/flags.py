"""Flags: what is unusual about an image among its peers. They set nothing aside by themselves, but for `blank`."""

import json

import numpy as np
import pandas as pd

from asclepius.errors import StudyError
from asclepius.quality.likeness import better_turned, strangeness
from asclepius.quality.outliers import Peers, deviation
from asclepius.quality.settings import FLAG_NAMES, QualitySettings


def flags(table: pd.DataFrame, miniatures: np.ndarray, settings: QualitySettings) -> pd.DataFrame:
    """Flags of images.

    Noise and sharpness are judged within modality and site, everything else within the modality; what an image
    shows within modality and body part, if `settings.body_part` names a column.

    Args:
        table: one row per stored image: modality, site, the columns of resample/index and of quality/measures.
        miniatures: uint8 (image, plane, y, x), rows as in `table`.

    Returns:
        A bool column for each of FLAG_NAMES, and `judged`; index as in `table`.

    Raises:
        StudyError: `settings.body_part` names no column.
    """
    blank = table["minimum"] == table["maximum"]
    seen = table[~blank]
    kind = Peers.of(seen["modality"], few=settings.few)
    place = Peers.of(seen["modality"], seen["site"], few=settings.few)
    found = pd.DataFrame(False, index=table.index, columns=[*FLAG_NAMES, "judged"])
    found["blank"] = blank
    found.loc[seen.index, "judged"] = kind.known
    extent = seen["p99"] - seen["p01"]
    rules = {
        "low_contrast": extent < settings.low_contrast * kind.typical(extent),
        "saturated": _piled(seen["at_maximum"], kind, settings.saturated, settings.outlier),
        "clipped": _piled(seen["at_minimum"], kind, settings.clipped, settings.outlier),
        "noisy": _far(seen["noise"], place, settings.outlier, settings.noisy),
        "blurred": _far(seen["sharpness"], place, settings.outlier, settings.blurred),
        "foreign_spacing": _foreign(seen["original_spacing"], kind, settings.spacing),
        "burned_in_text": seen["text"] > 0,
    }
    turned, strange = _unlike(seen, miniatures[~blank.to_numpy()], settings)
    rules |= {"wrong_orientation": turned, "wrong_body_part": strange | _rare(seen, kind, settings)}
    for name, rule in rules.items():
        found.loc[seen.index, name] = rule
    return found


def _piled(share: pd.Series, peers: Peers, more: float, outlier: float) -> pd.Series:
    """Whether an end of the range holds more pixels than in other images."""
    return (share - peers.typical(share) >= more) & (peers.deviation(share) > outlier)


def _far(values: pd.Series, peers: Peers, outlier: float, times: float) -> pd.Series:
    """Whether a value lies beyond `times` the median, below it if `times` is below 1, and beyond the usual spread."""
    values = np.log(values)
    distance, unusual = values - peers.typical(values), peers.deviation(values)
    if times < 1:
        distance, unusual, times = -distance, -unusual, 1 / times
    return (distance >= np.log(times)) & (unusual > outlier)


def _foreign(spacing: pd.Series, peers: Peers, times: float) -> pd.Series:
    """Whether any spacing is `times` as large or small as usual; smallest with smallest, as axes may be swapped."""
    steps = spacing.map(lambda text: sorted(json.loads(text)) if isinstance(text, str) else [])
    found = pd.Series(False, index=spacing.index)
    for axes in {length for length in steps.map(len) if length}:
        here = steps[steps.map(len) == axes]
        for axis in range(axes):
            log = np.log(here.map(lambda values, axis=axis: values[axis]).astype(float))
            found[here.index] |= (log - peers.typical(log)).abs() > np.log(times)
    return found


def _unlike(seen: pd.DataFrame, miniatures: np.ndarray, settings: QualitySettings) -> tuple[pd.Series, pd.Series]:
    """Whether an image fits its peers better when turned; else whether it is unlike them."""
    columns = [seen["modality"]] + ([_body_part(seen, settings.body_part)] if settings.body_part else [])
    peers = Peers.of(*columns, few=settings.few)
    turned, strange = pd.Series(False, index=seen.index), pd.Series(False, index=seen.index)
    for members in peers.groups():
        rows = seen.index.get_indexer(members)
        turned[members] = better_turned(miniatures[rows]) >= settings.orientation
        distance = pd.Series(strangeness(miniatures[rows]), index=members)
        strange[members] = deviation(distance, pd.Series(0, index=members)) > settings.outlier
    return turned, strange & ~turned


def _rare(seen: pd.DataFrame, kind: Peers, settings: QualitySettings) -> pd.Series:
    """Whether the header's body part is one that few images of the modality have."""
    if settings.body_part is None:
        return pd.Series(False, index=seen.index)
    part = _body_part(seen, settings.body_part)
    modality = kind.levels[0]
    share = part.groupby([modality, part]).transform("size") / part.groupby(modality).transform("count")
    return share < settings.rare_body_part


def _body_part(seen: pd.DataFrame, column: str) -> pd.Series:
    if column not in seen.columns:
        extra = ", ".join(name for name in seen.columns if name.startswith("x_")) or "none"
        raise StudyError(
            f"config: quality.body_part: no column {column!r}; those let through: {extra}; "
            "list it in cohort.columns and write x_<name>"
        )
    return seen[column].astype(object)
