"""How a measure spreads over sites, scanners and modalities: one strip per group, as SVG for the page."""

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

GROUPS = 8  # strips per column; the largest groups are drawn
DOTS = 80  # flagged images drawn per strip
_WIDTH, _LABEL, _RIGHT, _ROW, _TOP = 640.0, 190.0, 12.0, 20.0, 6.0


@dataclass(frozen=True)
class Strips:
    """Args:
    title: the measure in words.
    description: the figure in words, for readers who do not see it.
    svg: part of an HTML page; colours are its variables.
    note: what is not drawn.
    """

    title: str
    description: str
    svg: str
    note: str


def strips(
    title: str, values: pd.Series, groups: dict[str, pd.Series], marked: pd.Series, *, log: bool
) -> Strips | None:
    """Middle half, nine tenths and median of a measure in each group; dots are marked images.

    Args:
        title: what is measured, with its unit.
        values: of each image.
        groups: name of a column: its value for each image; drawn where there are at least two.
        marked: whether an image is flagged for this measure.
        log: whether the axis is logarithmic.

    Returns:
        None if nothing was measured.
    """
    usable = np.isfinite(values) & ((values > 0) | (not log))
    values, marked = values[usable], marked[usable]
    if values.empty:
        return None
    rows, notes = [("all images", values.index)], []
    for column, of in groups.items():
        sizes = of[values.index].value_counts()  # without a value: not drawn
        if len(sizes) < 2:
            continue
        shown = sorted(sizes.index[:GROUPS])
        rows += [
            (name if column == "scanner" else f"{column} {name}", of.index[of == name].intersection(values.index))
            for name in shown
        ]
        if len(sizes) > GROUPS:
            notes.append(f"the {GROUPS} largest of {len(sizes)} values of {column}")
    scale = _Scale(values, log)
    parts, words = [], []
    for number, (name, members) in enumerate(rows):
        parts.append(_strip(name, values[members], marked[members], scale, _TOP + _ROW * number))
        words.append(f"{name}: median {_short(float(values[members].median()))}, {len(members)} images")
    bottom = _TOP + _ROW * len(rows)
    parts.append(_axis(scale, bottom))
    svg = (
        f'<svg viewBox="0 0 {_WIDTH:g} {bottom + 20:g}" style="width: {_WIDTH:g}px; aspect-ratio: '
        f'{_WIDTH:g} / {bottom + 20:g}" aria-hidden="true">{"".join(parts)}</svg>'
    )
    return Strips(title, "; ".join(words), svg, f"Drawn: {'; '.join(notes)}." if notes else "")


class _Scale:
    """From a value to a place on the axis; a hair beyond the extremes, so that dots are whole."""

    def __init__(self, values: pd.Series, log: bool):
        self.log = log
        low, high = (float(self._on(value)) for value in (values.min(), values.max()))
        margin = 0.02 * (high - low) or 0.5
        self.low, self.high = low - margin, high + margin

    def _on(self, value):
        return np.log10(value) if self.log else value

    def __call__(self, value):
        share = (self._on(value) - self.low) / (self.high - self.low)
        return _LABEL + share * (_WIDTH - _LABEL - _RIGHT)

    def ticks(self) -> list[float]:
        """Some round values on the axis."""
        low, high = (10.0**end if self.log else end for end in (self.low, self.high))
        if high > 10 * low > 0 and self.log:
            powers = range(int(np.floor(self.low)), int(np.ceil(self.high)) + 1)
            found = [times * 10.0**power for power in powers for times in (1, 2, 5)]
            found = [value for value in found if low <= value <= high]
        else:
            step = 10.0 ** np.floor(np.log10(high - low))
            step *= next(part for part in (1, 0.5, 0.2) if (high - low) / (step * part) >= 3)
            found = list(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step)
        return found[:: max(1, round(len(found) / 5))]


def _strip(name: str, values: pd.Series, marked: pd.Series, scale: _Scale, top: float) -> str:
    y = top + _ROW / 2
    p05, p25, p50, p75, p95 = (scale(value) for value in np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95)))
    dots = values[marked].sort_values()
    dots = dots.iloc[np.unique(np.linspace(0, len(dots) - 1, min(len(dots), DOTS)).round().astype(int))]
    label = name if len(name) <= 22 else name[:21] + "…"
    return (
        f'<text x="0" y="{y + 4:g}" class="label">{escape(label)}</text>'
        f'<text x="{_LABEL - 10:g}" y="{y + 4:g}" class="count">{len(values)}</text>'
        f'<path d="M{p05:.1f} {y:g}H{p95:.1f}" class="range"/>'
        f'<path d="M{p25:.1f} {y:g}H{max(p75, p25 + 1):.1f}" class="middle"/>'
        f'<path d="M{p50:.1f} {y - 7:g}V{y + 7:g}" class="median"/>'
        + "".join(f'<circle cx="{scale(value):.1f}" cy="{y:g}" r="2.5"/>' for value in dots)
    )


def _axis(scale: _Scale, y: float) -> str:
    ticks = "".join(
        f'<path d="M{scale(value):.1f} {_TOP:g}V{y:g}" class="grid"/>'
        f'<text x="{scale(value):.1f}" y="{y + 14:g}" class="tick">{_short(value)}</text>'
        for value in scale.ticks()
    )
    return ticks


def _short(value: float) -> str:
    """Three figures at least, without powers of ten."""
    digits = max(2 - int(np.floor(np.log10(abs(value)))), 0) if value else 0
    text = f"{value + 0.0:,.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
