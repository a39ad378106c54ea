"""The page of quality control: what is odd first, with pictures, then how everything is spread."""

import base64
import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Template
from markupsafe import Markup
from PIL import Image

import asclepius
from asclepius.quality.settings import FLAG_NAMES, QualitySettings
from asclepius.quality.sheet.strips import strips
from asclepius.store import Store
from asclepius.templates import template

TEMPLATE = Path(__file__).with_name("page.html.j2")
PER_FLAG, USUAL, GROUPS, PER_GROUP = 16, 24, 30, 6  # pictures shown

# Flag: what it says, what to do, the measure behind it.
MEANINGS = {
    "blank": ("every pixel has the same value", "export the image again", None),
    "low_contrast": ("hardly any difference between dark and bright", "look at its window or exposure", "contrast"),
    "saturated": ("many pixels at the highest value", "look for overexposure or a wrong conversion", "at_maximum"),
    "clipped": ("many pixels at the lowest value", "look for a window that cuts dark values off", "at_minimum"),
    "noisy": ("far more noise than usual at its site", "compare dose and reconstruction", "noise"),
    "blurred": ("far less sharp than usual at its site", "look for motion, or an image that was enlarged", "sharpness"),
    "foreign_spacing": ("pixels or slices of quite another size", "look at the header's spacing", "spacing"),
    "wrong_orientation": ("resembles the others more when turned or reflected", "turn it in the source", None),
    "wrong_body_part": ("looks unlike the others, or its header names a rare part", "see whether it belongs", None),
    "burned_in_text": ("something that looks like lines of letters", "see whether it tells who the patient is", "text"),
}
MEASURES = {
    "contrast": ("Contrast (99th less 1st percentile)", True, ("low_contrast",)),
    "noise": ("Noise (share of the contrast)", True, ("noisy",)),
    "sharpness": ("Sharpness (mean frequency of edges, radians per pixel)", False, ("blurred",)),
    "at_maximum": ("Share of pixels at the highest value", False, ("saturated",)),
    "at_minimum": ("Share of pixels at the lowest value, without padding", False, ("clipped",)),
    "spacing": ("Smallest spacing of the source (mm)", True, ("foreign_spacing",)),
}


@dataclass(frozen=True)
class Thumbnail:
    """Args:
    source: the picture as a data address.
    width, height: CSS pixels.
    title, lines: what stands below it.
    """

    source: str
    width: int
    height: int
    title: str
    lines: list[str]


def page(
    study: str,
    table: pd.DataFrame,
    flags: pd.DataFrame,
    group: pd.Series,
    graph: pd.DataFrame,
    flow: dict,
    pictures: Store,
    settings: QualitySettings,
) -> str:
    """A page of HTML without scripts, links or patients' names; equal arguments give equal text.

    Args:
        study: its name.
        table: stored images in order of position, with the columns of quality/measures.
        flags: columns of quality/flags, index as in `table`.
        group: group of near-duplicates of each image, null outside any.
        graph: quality/duplicates.
        flow: quality/flow.json.
        pictures: of `shard.run`.
    """
    table = table.assign(
        contrast=table["p99"] - table["p01"], spacing=table["original_spacing"].map(_smallest).astype(float)
    )
    maker = _Pictures(table, flags, pictures)
    return _template().render(
        study=study,
        version=asclepius.__version__,
        figures=_figures(flow, flags, graph),
        sentences=_sentences(table, flags, group, settings),
        flags=[_flag(name, flags) for name in FLAG_NAMES if flags[name].any()],
        absent=[name.replace("_", " ") for name in FLAG_NAMES if not flags[name].any()],
        outliers=_outliers(table, flags, maker),
        groups=_groups(table, group, graph, maker),
        group_count=int(group.nunique()),
        group_limit=GROUPS,
        usual=_usual(flags, maker),
        strips=_strips(table, flags),
        steps=[{**step, "reason": step["reason"].replace("-", " ")} for step in flow["steps"]],
        svg=Markup,
        settings=settings,
    )


@cache
def _template() -> Template:
    return template(TEMPLATE)


def _smallest(spacing: str | None) -> float:
    return min(json.loads(spacing)) if isinstance(spacing, str) else np.nan


def _odd(flags: pd.DataFrame) -> pd.Series:
    return flags[list(FLAG_NAMES)].any(axis=1)


def _figures(flow: dict, flags: pd.DataFrame, graph: pd.DataFrame) -> list[tuple[str, str]]:
    return [
        ("images found", count(flow["found"]["images"])),
        ("in the study", count(flow["included"]["images"])),
        ("with a flag, in the study", count(int((_odd(flags) & flags["included"]).sum()))),
        ("groups of near-duplicates", count(graph["group"].nunique())),
    ]


def _sentences(table: pd.DataFrame, flags: pd.DataFrame, group: pd.Series, settings: QualitySettings) -> list[str]:
    """What a reader must know, most important first."""
    found = []
    if group.notna().any():
        by = table[group.notna()].groupby(group[group.notna()])
        across = int((by["patient"].nunique() > 1).sum())
        torn = int((by["label"].nunique() > 1).sum())
        kept = {
            "group": "Images of a group are kept in one fold",
            "flag": "The split does not heed them (quality.near_duplicates: flag)",
        }[settings.near_duplicates]
        found.append(
            f"{some(int(group.notna().sum()), 'image')} in {some(group.nunique(), 'group')} look the same; "
            f"{across or 'no'} group{'' if across == 1 else 's'} of several patients. {kept}."
        )
        if torn:
            found.append(f"{some(torn, 'group')} of near-duplicates with different labels: look at these first.")
    odd = _odd(flags)
    counts = flags[list(FLAG_NAMES)].sum().sort_values(ascending=False, kind="stable")
    most = ", ".join(f"{name.replace('_', ' ')} {count(int(n))}" for name, n in counts[counts > 0].head(4).items())
    found.append(
        f"{some(int(odd.sum()), 'image')} of {count(len(flags))} stored carry a flag"
        + (f" ({100 * odd.mean():.1f} %): {most}." if odd.any() else ".")
        + " A flag sets nothing aside, but for blank; quality.exclude does."
    )
    alone = int((~flags["judged"] & ~flags["blank"]).sum())
    if alone:
        found.append(f"{some(alone, 'image')} could not be compared: fewer than {settings.few} of the same modality.")
    if settings.near_duplicates == "off":
        found.append("Near-duplicates were not searched (quality.near_duplicates: off).")
    unsought = int((table["text"] < 0).sum())
    if unsought:
        found.append(
            f"{some(unsought, 'image')} not searched for burned-in text: "
            + (
                "switched off."
                if not settings.burned_in_text
                else "a volume, or stored too small for letters (below 192 pixels)."
            )
        )
    return found


def _flag(name: str, flags: pd.DataFrame) -> dict[str, str]:
    meaning, remedy, _ = MEANINGS[name]
    return {
        "name": name.replace("_", " "),
        "meaning": meaning,
        "remedy": remedy,
        "images": count(int(flags[name].sum())),
        "included": count(int((flags[name] & flags["included"]).sum())),
    }


class _Pictures:
    """Thumbnails of images by their row in the table."""

    def __init__(self, table: pd.DataFrame, flags: pd.DataFrame, pictures: Store):
        self.table, self.flags, self.pictures = table, flags, pictures
        kind = table["modality"].fillna("")
        measured = [measure for *_, measure in MEANINGS.values() if measure and measure != "text"]
        self.usual = table[measured].groupby(kind).transform("median")

    def thumbnail(self, row: int, lines: list[str]) -> Thumbnail:
        place = self.table.loc[row]
        pixels = self.pictures.shard(int(place["shard"]))[int(place["row"])]
        stream = io.BytesIO()
        Image.fromarray(np.asarray(pixels)).save(stream, format="PNG", optimize=True)
        scale = 120 / max(pixels.shape[0], pixels.shape[1] if pixels.shape[1] < 2 * pixels.shape[0] else 0)
        return Thumbnail(
            "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii"),
            round(pixels.shape[1] * scale),
            round(pixels.shape[0] * scale),
            place["image"],
            lines,
        )

    def why(self, row: int) -> list[str]:
        """Each flag of an image with its value and the usual one."""
        lines = []
        for name in FLAG_NAMES:
            if self.flags.at[row, name]:
                measure = MEANINGS[name][-1]
                text = name.replace("_", " ")
                if measure == "text":
                    text += f": {some(int(self.table.at[row, measure]), 'line')}"
                elif measure:
                    text += f": {self.table.at[row, measure]:.3g}, usual {self.usual.at[row, measure]:.3g}"
                lines.append(text)
        return lines + ([] if self.flags.at[row, "included"] else ["set aside"])

    def whose(self, row: int) -> list[str]:
        """Patient, label and role of an image."""
        place = self.table.loc[row]
        return [str(place[name]) for name in ("patient", "label", "official") if isinstance(place[name], str)]


def _outliers(table: pd.DataFrame, flags: pd.DataFrame, maker: _Pictures) -> list[dict]:
    """For each flag the images furthest from the usual; an image is shown once."""
    shown: set[int] = set()
    sections = []
    for name in FLAG_NAMES:
        rows = flags.index[flags[name]]
        measure = MEANINGS[name][-1]
        if measure and measure != "text":
            with np.errstate(divide="ignore"):
                distance = np.log(table.loc[rows, measure] / maker.usual.loc[rows, measure]).abs()
            rows = distance.sort_values(ascending=False, kind="stable").index
        chosen = [row for row in rows if row not in shown][:PER_FLAG]
        shown |= set(chosen)
        if chosen:
            sections.append(
                {
                    "name": name.replace("_", " "),
                    "total": count(len(rows)),
                    "pictures": [maker.thumbnail(row, [*maker.why(row), *maker.whose(row)]) for row in chosen],
                    "all": len(chosen) == len(rows),
                }
            )
    return sections


def _groups(table: pd.DataFrame, group: pd.Series, graph: pd.DataFrame, maker: _Pictures) -> list[dict]:
    """Groups of near-duplicates: those of several labels, roles or patients first."""
    found = []
    least = graph.groupby("group")["correlation"].min()
    members = group.dropna()
    columns = [table.loc[members.index, name].groupby(members).nunique() for name in ("label", "official", "patient")]
    order = sorted(members.unique(), key=lambda name: ([-min(int(c[name]), 2) for c in columns], int(name)))
    for name in order[:GROUPS]:
        rows = members.index[members == name]
        notes = [some(len(rows), "image"), f"correlation {least[name]:.3f}"]
        notes += [
            f"{words} differ" for words, c in zip(("labels", "roles", "patients"), columns, strict=True) if c[name] > 1
        ]
        found.append(
            {
                "notes": notes,
                "conflict": bool(columns[0][name] > 1),
                "pictures": [maker.thumbnail(row, maker.whose(row)) for row in rows[:PER_GROUP]],
                "more": max(len(rows) - PER_GROUP, 0),
            }
        )
    return found


def _usual(flags: pd.DataFrame, maker: _Pictures) -> list[Thumbnail]:
    """Some images without any flag, evenly from the source."""
    rows = flags.index[~_odd(flags)]
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), USUAL)).round().astype(int))
    return [maker.thumbnail(row, maker.whose(row)) for row in rows[chosen]]


def _strips(table: pd.DataFrame, flags: pd.DataFrame) -> list:
    groups = {name: table[name] for name in ("modality", "site", "scanner")}
    drawn = [
        strips(title, table[name].astype(float), groups, flags[list(of)].any(axis=1), log=log)
        for name, (title, log, of) in MEASURES.items()
    ]
    return [each for each in drawn if each]


def count(number: int) -> str:
    """A number of things with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def some(number: int, noun: str) -> str:
    """ "1 image", "2 images"."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
