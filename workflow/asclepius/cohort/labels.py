"""The label table: labels, and whatever else a person wrote down about images."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.cohort import demographics, matching
from asclepius.cohort.folder import SPLITS, printable
from asclepius.cohort.inventory import Inventory
from asclepius.cohort.settings import SourceSettings
from asclepius.cohort.vocabulary import Vocabulary, nearest, outside_sentence
from asclepius.errors import StudyError
from asclepius.task import SEPARATOR

SHOWN_ROWS = 10
FIRST_LINE = 2  # the line of a table's first row, below its header


def match_column(source: SourceSettings) -> str:
    """The column that holds the key: `labels.match`, or the one named like the key."""
    return source.labels.match or source.labels.key


def check_columns(source: SourceSettings, key: str) -> None:
    """Refuse columns named in the settings that the label table does not have; reads its header line only.

    Args:
        key: the section in the config, "cohort" or "cohort.external".

    Raises:
        StudyError: names the option, the table, the column and the nearest existing one.
    """
    named = {"labels.column": source.labels.column, "labels.match": match_column(source)}
    optional = ("patient", "visit", "site", "age", "sex", "mask", "boxes", "official")
    named |= {option: getattr(source, option) for option in optional}
    named |= {f"columns.{name}": name for name in source.columns} | {f"where.{name}": name for name in source.where}
    named = {option: name for option, name in named.items() if name is not None}
    path = source.labels.path
    if path is None:
        extra = [option for option in named if not option.startswith("labels.")]
        if extra:
            raise StudyError(f"config: {key}.{extra[0]}: names a column, but there is no table; set {key}.labels.path")
        return
    header = _header(path, f"{key}.labels.path")
    for option, name in named.items():
        if name not in header:
            hint = nearest(name, header) or f"; it has {', '.join(header[:20])}"
            raise StudyError(f"config: {key}.{option}: {path} has no column {name!r}{hint}")


def _header(path: Path, key: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            line = handle.readline()
    except FileNotFoundError:
        raise StudyError(f"config: {key}: {path} does not exist (working directory {Path.cwd()})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"config: {key}: {path} is not a UTF-8 table ({error}); export it again as CSV") from None
    try:
        sniffed = csv.Sniffer().sniff(line.rstrip("\r\n"), delimiters=",;\t|").delimiter
    except csv.Error:
        sniffed = ","
    return next(csv.reader([line], delimiter="\t" if path.suffix.lower() == ".tsv" else sniffed), [])


@dataclass
class Labelled:
    """Args:
    images: the inventory's columns with labels, `line` (of the label table, -1 without one) and x_ columns.
    rejected: images left out, rows of REJECTED.
    unused: rows of the label table that speak of no image.
    """

    images: pd.DataFrame
    rejected: pd.DataFrame
    unused: int = 0


def assign(found: Inventory, source: SourceSettings, key: str) -> Labelled:
    """Give every image its label and what the table says of it.

    A file listed under several patients becomes one image of each, so that a later stage can merge the patients.

    Raises:
        StudyError: a column is missing, nothing matches, or one image has two labels.
    """
    check_columns(source, key)
    vocabulary = Vocabulary.of(source.labels, key)
    images = found.images.reset_index(drop=True)
    if source.labels.path is None:
        pairs = pd.DataFrame({"image": np.arange(len(images)), "row": -1, "cell": images["label"]})
        pairs["kept"] = True
        table, unused = None, 0
    else:
        table = tables.read_labels(source.labels.path)
        pairs = _pair(images, table, source, key)
        unused = len(table) - pairs["row"].nunique()
        cell = table[source.labels.column].astype("str").str.strip()
        cell = cell.where(cell != "")
        pairs["cell"] = cell.iloc[pairs["row"]].to_numpy(object)
        kept = np.ones(len(table), dtype=bool)
        for column, values in source.where.items():
            kept &= table[column].astype("str").str.strip().isin([str(value) for value in values]).to_numpy(bool)
        pairs["kept"] = kept[pairs["row"]]
    seen = pairs.loc[pairs["kept"], "cell"].value_counts()
    meaning = {cell: vocabulary.label(cell) for cell in seen.index}
    pairs["label"] = pairs["cell"].map(meaning).astype("str")
    usable = pairs[pairs["kept"] & pairs["label"].notna()]
    if table is None and source.source != "medmnist":
        seen = seen * 0  # a folder may bear a patient's name
    rejected = _rejected(images, pairs, usable, seen)
    if table is None:
        chosen = images.iloc[usable["image"]].assign(label=usable["label"].to_numpy(), line=-1)
        return Labelled(chosen.reset_index(drop=True), rejected)
    return Labelled(_describe(images, usable, table, source, vocabulary, key), rejected, unused)


def _pair(images: pd.DataFrame, table: pd.DataFrame, source: SourceSettings, key: str) -> pd.DataFrame:
    labels = source.labels
    column = match_column(source)
    pairs = matching.pairs(images, table[column], labels.key, str(labels.path))
    if pairs.empty and len(images):
        raise StudyError(
            f"{key}.labels: no row of {labels.path} speaks of any of the {len(images)} images; column {column!r} "
            f"holds values like {_pattern(table[column])}, the images' {labels.key} looks like "
            f"{_pattern(images[labels.key])} (9 a digit, a a letter); check labels.key and labels.match"
        )
    if labels.key == "patient" and source.visit is not None and images["visit"].notna().any():
        same = matching.of_visit(pairs, images, table[source.visit])
        if labels.per == "patient":  # a visit missing from the table still has the patient's label
            same |= ~pairs["image"].isin(pairs.loc[same, "image"]).to_numpy()
        pairs = pairs[same].reset_index(drop=True)
    return pairs


def _pattern(values: pd.Series) -> str:
    """The look of the most frequent kind of value, without telling any."""
    present = values.dropna().astype("str")
    if present.empty:
        return "nothing"
    masked = present.str.replace(r"\d", "9", regex=True).str.replace(r"[^\W\d_]", "a", regex=True)
    return repr(masked.value_counts().index[0][-60:])


def _rejected(images: pd.DataFrame, pairs: pd.DataFrame, usable: pd.DataFrame, seen: pd.Series) -> pd.DataFrame:
    lost = pd.DataFrame({"image": np.setdiff1d(np.arange(len(images)), usable["image"].to_numpy())})
    lost = lost.merge(pairs.drop_duplicates("image"), on="image", how="left")
    excluded = ~lost["kept"].fillna(True).astype(bool)
    unlabelled = ~excluded & lost["cell"].isna()
    sentences = {cell: outside_sentence(cell, count) for cell, count in seen.items()}
    sentence = lost["cell"].map(sentences).astype("object")
    sentence[excluded] = "its row of the label table is excluded by cohort.where"
    sentence[unlabelled] = "no label was found for it"
    of = images.iloc[lost["image"]].reset_index(drop=True)
    reason = np.where(unlabelled, "unlabelled", "excluded")
    return pd.DataFrame(
        {
            "source": of["source"],
            "path": [printable(json.loads(cell)[0]) for cell in of["files"]],
            "patient": of["patient"],
            "reason": pd.Series(reason, dtype="str"),
            "sentence": sentence.astype("str"),
        }
    )


def _describe(
    images: pd.DataFrame,
    usable: pd.DataFrame,
    table: pd.DataFrame,
    source: SourceSettings,
    vocabulary: Vocabulary,
    key: str,
) -> pd.DataFrame:
    own_visits = images["visit"].notna().any() and source.labels.key == "patient"
    usable = usable.assign(patient=images["patient"].iloc[usable["image"]].to_numpy(object))
    if source.patient is not None:
        stated = table[source.patient].astype("str").str.strip().iloc[usable["row"]].to_numpy(object)
        usable["patient"] = np.where(pd.isna(stated), usable["patient"], stated)
    if usable["image"].duplicated().any():
        usable = _one_per_patient(usable, vocabulary, source, key)
    chosen = images.iloc[usable["image"]].reset_index(drop=True)
    rows = table.iloc[usable["row"]].reset_index(drop=True)
    chosen["label"] = usable["label"].to_numpy(object)
    chosen["patient"] = pd.Series(usable["patient"].to_numpy(object), dtype="str")
    chosen["line"] = usable["row"].to_numpy() + FIRST_LINE
    copy = usable.groupby("image").cumcount().to_numpy()
    if copy.any():
        numbered = chosen["source"] + "#" + pd.Series(copy + 1).astype("str")
        chosen["source"] = chosen["source"].where(copy == 0, numbered)
    if source.visit is not None and not own_visits:
        _override(chosen, "visit", rows[source.visit].astype("str").str.strip())
        _override(chosen, "date", demographics.each(demographics.iso_date, rows[source.visit]))
    for name, column, reading in (
        ("age", source.age, demographics.age),
        ("sex", source.sex, demographics.sex),
        ("site", source.site, str.strip),
        ("official", source.official, _role),
        ("mask", source.mask, str.strip),
        ("boxes", source.boxes, str.strip),
    ):
        if column is not None:
            _override(chosen, name, demographics.each(lambda v, f=reading: f(v) if v else None, rows[column]))
    _check_boxes(chosen, f"config: {key}.boxes")
    for name in source.columns:
        chosen[f"x_{name}"] = rows[name].astype("str")
    return chosen


def _override(chosen: pd.DataFrame, name: str, values) -> None:
    stated = pd.Series(values, index=chosen.index)
    kind = chosen[name].dtype
    chosen[name] = stated.where(stated.notna(), chosen[name].astype("object")).astype(kind)


def _role(text: str) -> str | None:
    return SPLITS.get(text.strip().lower())


def _one_per_patient(usable: pd.DataFrame, vocabulary: Vocabulary, source: SourceSettings, key: str) -> pd.DataFrame:
    """Rows that say the same of the same image and patient count once; several labels are joined if allowed."""
    usable = usable.assign(group=usable.groupby(["image", "patient"], dropna=False, sort=False).ngroup())
    several = usable.groupby("group")["label"].transform("nunique") > 1
    if several.any() and vocabulary.separator is None:
        lines = usable.loc[several, "row"] + FIRST_LINE
        raise StudyError(
            f"{key}.labels: {usable.loc[several, 'image'].nunique()} images carry two labels "
            f"({lines_of(lines, source.labels.path)}); correct the table, or leave rows out with where, or set "
            "labels.multilabel if an image may have several"
        )
    if several.any():
        cells = usable[several].groupby("group")["label"]
        joined = cells.agg(
            lambda group: vocabulary.join(name for cell in group for name in cell.split(SEPARATOR) if name)
        )
        usable["label"] = usable["group"].map(joined).fillna(usable["label"])
    return usable.drop_duplicates("group").drop(columns="group")


def lines_of(lines, path: Path | None) -> str:
    """Lines of the label table in words, the first few of them."""
    numbers = sorted({int(line) for line in lines})
    shown = ", ".join(str(number) for number in numbers[:SHOWN_ROWS])
    return f"lines {shown}{' …' if len(numbers) > SHOWN_ROWS else ''} of {path}"


def _check_boxes(chosen: pd.DataFrame, key: str) -> None:
    for cell in chosen["boxes"].dropna().unique():
        try:
            boxes = json.loads(cell)
            good = isinstance(boxes, list) and all(len(box) == 6 and all(np.isfinite(box)) for box in boxes)
        except (ValueError, TypeError):
            good = False
        if not good:
            line = int(chosen.loc[chosen["boxes"] == cell, "line"].iloc[0])
            raise StudyError(
                f"{key}: line {line} is no JSON list of boxes [x0, y0, z0, x1, y1, z1] in voxels; correct the cell"
            )
