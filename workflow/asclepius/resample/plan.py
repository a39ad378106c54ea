"""The grid of a study, planned from the geometry of its images alone: no label and no intensity."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import yaml

from asclepius.errors import StudyError
from asclepius.resample.settings import ResampleSettings
from asclepius.resample.target import Target

THICK = 3.0  # as nnU-Net: Isensee et al., Nature Methods 18, 203 (2021)
WHOLE = 0.9  # share of images that the grid covers whole, along each axis
BUDGET = {2: 512**2, 3: 128**3}
AXES = {2: "y x", 3: "z y x"}
HEAD = """\
# The grid of this study, planned from the headers of its images: no label, no intensity, no image of a fixed test set.
# Edit size and spacing: an edited plan is kept. Delete the file to plan anew. To pin it, copy it and set resample.plan.
"""


@dataclass(frozen=True)
class Plan:
    """Args:
    size: stored voxels, (z, y, x) or (y, x).
    spacing: mm in the same order; None stretches images to the size.
    reasons: what was chosen and why, a sentence each.
    """

    size: list[int]
    spacing: list[float] | None
    reasons: dict[str, str]

    @property
    def target(self) -> Target:
        return Target(size=self.size, spacing=self.spacing)

    def text(self) -> str:
        """The plan as YAML that a person can read and edit."""
        values = {"size": self.size, "spacing": self.spacing}
        flow = {
            name: yaml.safe_dump(value, default_flow_style=True, width=1000).splitlines()[0]
            for name, value in values.items()
        }
        lines = [f"{name}: {flow[name]}  # {AXES[len(self.size)]}{', mm' * (name == 'spacing')}" for name in values]
        reasons = yaml.safe_dump({"reasons": self.reasons}, sort_keys=False, width=100, allow_unicode=True)
        return HEAD + "\n".join(lines) + "\n" + reasons + f"planned: {self.target.digest}  # tells an edit; leave it\n"


def planned(geometry: pd.DataFrame, settings: ResampleSettings) -> Plan:
    """The grid that suits most of the images.

    Args:
        geometry: a row per image that may be looked at: `shape` (z, y, x) and `spacing` (z, y, x) or None as tuples,
            `flat`; only those whose header could be read.
        settings: `budget` is the most voxels of a stored image; with `fit: pad` no spacing is planned.

    Raises:
        StudyError: no image is left to plan from.
    """
    if geometry.empty:
        raise StudyError(
            "resample.target: auto: no header can be read outside the test set; set resample.size and resample.spacing"
        )
    flat = bool(geometry["flat"].mean() > 0.5)
    kind = geometry[geometry["flat"] == flat]
    sides = 2 if flat else 3
    shapes = np.array(kind["shape"].tolist(), dtype=float)[:, -sides:]
    budget = settings.budget or BUDGET[sides]
    others = len(geometry) - len(kind)
    reasons = {"images": f"{len(kind)} {'flat images' if flat else 'volumes'}"}
    if others:
        reasons["images"] += f"; {others} {'volumes' if flat else 'flat images'} among them cannot be stored with them"
    spacings = None
    if not flat and settings.fit == "stretch" and kind["spacing"].notna().all():
        spacings = np.array(kind["spacing"].tolist(), dtype=float)
    alike = (shapes == shapes[0]).all() and (spacings is None or np.allclose(spacings, spacings[0], rtol=1e-3))
    if alike and math.prod(shapes[0]) <= budget:
        step = None if spacings is None else [float(f"{value:.4g}") for value in np.median(spacings, axis=0)]
        same = {
            "size": "the size of every image",
            "spacing": "every image's" if step else "null: nothing to change",
        }
        return Plan(shapes[0].astype(int).tolist(), step, reasons | same)
    if spacings is None:
        return _stretched(shapes, budget, flat, reasons)
    return _spaced(shapes, spacings, budget, reasons)


def _stretched(shapes: np.ndarray, budget: int, flat: bool, reasons: dict[str, str]) -> Plan:
    median = np.median(shapes, axis=0)
    shrink = 1.0
    while math.prod(_rounded(median * shrink)) > budget:
        shrink *= 0.99
    size = _rounded(median * shrink)
    reasons["size"] = f"median size {_words(median)}" + (
        f", made smaller to hold at most {budget} voxels" if shrink < 1 else ""
    )
    reasons["size"] += f", as multiples of {' and '.join(map(str, sorted({_multiple(n) for n in size})))}"
    reasons["spacing"] = (
        "null: flat images are stretched to the size (resample.fit: pad keeps their aspect)"
        if flat
        else "null: not every image tells its spacing, or resample.fit is pad; each is fitted to the size"
    )
    return Plan(size, None, reasons)


def _spaced(shapes: np.ndarray, spacings: np.ndarray, budget: int, reasons: dict[str, str]) -> Plan:
    spacing = np.median(spacings, axis=0)
    why = f"median {_words(spacing)} mm"
    thick = int(spacing.argmax())
    others = np.delete(spacing, thick)
    size = np.median(shapes * spacings / spacing, axis=0)
    if spacing[thick] > THICK * others.max() and size[thick] * THICK < np.delete(size, thick).min():
        finer = max(np.percentile(spacings[:, thick], 10), others.max())
        why += (
            f"; along {AXES[3].split()[thick]}, whose slices are more than {THICK:g} times as thick, the 10th "
            f"percentile {finer:.3g} mm, so that thin slices keep their detail"
        )
        spacing[thick] = finer
    extents = np.quantile(shapes * spacings, WHOLE, axis=0)
    coarse = _coarsened(spacing, extents, budget)
    if not np.allclose(coarse, spacing):
        why += f"; made coarser to {_words(coarse)} mm, finest axes first, to hold at most {budget} voxels"
    size = _rounded(extents / coarse)
    spacing = np.array([float(f"{step:.4g}") for step in coarse])
    covered = np.array(size) * spacing
    cut = int((shapes * spacings > covered * 1.001).any(axis=1).sum())
    reasons["spacing"] = why
    reasons["size"] = (
        f"{WHOLE:.0%} of the images lie whole within {_words(covered)} mm along each axis; the grid is laid around the "
        f"middle of an image; {cut} of {len(shapes)} lose something at their border; as multiples of "
        f"{' and '.join(map(str, sorted({_multiple(n) for n in size})))}"
    )
    return Plan(size, spacing.tolist(), reasons)


def _coarsened(spacing: np.ndarray, extents: np.ndarray, budget: int) -> np.ndarray:
    """Spacing made coarser, finest axes first, until the extents lie whole in no more than `budget` voxels."""
    level, found = spacing.min(), spacing
    while math.prod(_rounded(extents / found)) > budget:
        level *= 1.01
        found = np.maximum(spacing, level)
    return found


def _rounded(size: np.ndarray) -> list[int]:
    """Up to the next multiple, so that networks can halve the image."""
    return [max(1, math.ceil(n / _multiple(n) - 0.01) * _multiple(n)) for n in size]


def _multiple(side: float) -> int:
    return 16 if side > 64 else 8 if side > 8 else 1


def _words(values: np.ndarray) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
