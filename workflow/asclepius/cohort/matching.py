"""Which row of the label table speaks of which image."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from asclepius.cohort.demographics import iso_date
from asclepius.cohort.folder import stem
from asclepius.errors import StudyError

AMBIGUOUS = -2


def pairs(images: pd.DataFrame, values: pd.Series, key: str, where: str) -> pd.DataFrame:
    """Table of (image, row): positions in `images` and in the label table, in order of image, then row.

    Args:
        images: with the columns of `inventory.KEYS` and `patient`.
        values: the key of each row of the label table; nulls match nothing.
        where: names the table in messages.

    Raises:
        StudyError: a file name of the table fits several files.
    """
    present = values.dropna()
    if key == "file":
        found = match_files(images["file"], present)
        if (found == AMBIGUOUS).any():
            rows = np.flatnonzero(values.notna())[found == AMBIGUOUS]
            raise StudyError(
                f"{where}: {len(rows)} rows name a file that lies in several folders (first in line {rows[0] + 2}); "
                "write the path relative to cohort.path instead of the bare name"
            )
        hit = found >= 0
        table = pd.DataFrame({"image": found[hit], "row": np.flatnonzero(values.notna())[hit]})
    else:
        of_images = _identifiers(images[key])
        of_rows = _identifiers(values)
        left = pd.DataFrame({"value": of_images, "image": np.arange(len(images))}).dropna()
        right = pd.DataFrame({"value": of_rows, "row": np.arange(len(values))}).dropna()
        table = left.merge(right, on="value")[["image", "row"]]
    return table.sort_values(["image", "row"], ignore_index=True)


def _identifiers(column: pd.Series) -> pd.Series:
    # BIDS allows participant_id without the prefix that its folders carry.
    return column.astype("str").str.strip().str.removeprefix("sub-").reset_index(drop=True)


def of_visit(table: pd.DataFrame, images: pd.DataFrame, visits: pd.Series) -> np.ndarray:
    """Whether each pair is of one visit: the table's cell is the image's visit, or both fall on one date."""
    cell = visits.iloc[table["row"]].astype("str").str.strip().str.removeprefix("ses-")
    visit = images["visit"].iloc[table["image"]].astype("str").str.removeprefix("ses-")
    day = images["date"].iloc[table["image"]]
    dates = cell.map({value: iso_date(value) for value in cell.dropna().unique()})
    same = cell.to_numpy(object) == visit.to_numpy(object)
    return same | (dates.notna().to_numpy() & (dates.to_numpy(object) == day.to_numpy(object)))


def match_files(paths: Iterable[str], keys: Iterable[str]) -> np.ndarray:
    """For each key the position of its file in `paths`, -1 for none, -2 (AMBIGUOUS) for several.

    A key is a path relative to the folder, or its end (`name.png` or `b/name.png` for `a/b/name.png`), or longer
    than that (`/disk/set/a/b/name.png`); the ending of the file may be missing. The first of these that fits counts.
    """
    paths = list(paths)
    wanted = [str(key).strip().replace("\\", "/").removeprefix("./").strip("/") for key in keys]
    found = np.full(len(wanted), -1, dtype=np.int64)
    for shorten in (str, stem):
        names = [shorten(path) for path in paths]
        whole = _positions(names)
        left = np.flatnonzero(found == -1)
        asked = {int(k): shorten(wanted[k]) for k in left}
        for k in left:
            found[k] = whole.get(asked[int(k)], -1)
        _by_end(names, asked, found)
        for k in np.flatnonzero(found == -1):
            found[k] = _longer(asked[int(k)], whole)
    return found


def _positions(names: Iterable[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for position, name in enumerate(names):
        places[name] = AMBIGUOUS if name in places else position
    return places


def _by_end(names: list[str], asked: dict[int, str], found: np.ndarray) -> None:
    depths: dict[int, list[int]] = {}
    for k in np.flatnonzero(found == -1):
        depths.setdefault(asked[int(k)].count("/"), []).append(int(k))
    for depth, members in depths.items():
        ends = _positions("/".join(name.split("/")[-depth - 1 :]) for name in names)
        for k in members:
            found[k] = ends.get(asked[k], -1)


def _longer(key: str, whole: dict[str, int]) -> int:
    while "/" in key:
        key = key.split("/", 1)[1]
        if key in whole:
            return whole[key]
    return -1
