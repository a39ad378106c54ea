"""ROC, precision-recall and calibration curves, one figure per class."""

import math

import numpy as np
import pandas as pd

from asclepius.report.drawing import INK, MUTED, Drawing, Look, finish, legend, looks, square, style
from asclepius.report.evidence import Evidence
from asclepius.report.wording import number, percent, role, slug

BANDS = 3  # arms up to which each has its band; with more, only the chosen one
TITLES = {"roc": "ROC", "precision-recall": "Precision-recall", "calibration": "Calibration"}
AXES = {
    "roc": ("1 − specificity (false alarms)", "Sensitivity (found)"),
    "precision-recall": ("Recall (found)", "Precision (right when positive)"),
    "calibration": ("Predicted probability", "Observed frequency"),
}


def drawings(evidence: Evidence, curve: str, where: str) -> list[Drawing]:
    """The figures of one kind of curve on one role; a class without points is left out."""
    table = evidence.curves[(evidence.curves["curve"] == curve) & (evidence.curves["role"] == where)]
    table = table[np.isfinite(table["x"]) & np.isfinite(table["y"])]
    names = [name for name in ("all", *evidence.task.classes) if (table["class"] == name).any()]
    if evidence.task.kind == "binary" and len(names) > 1:
        names = [evidence.task.positive] if evidence.task.positive in names else names[:1]
    return [
        _drawing(evidence, table[table["class"] == name], curve, where, name, number_of if len(names) > 1 else None)
        for number_of, name in enumerate(names, 1)
    ]


def _drawing(
    evidence: Evidence, table: pd.DataFrame, curve: str, where: str, name: str, position: int | None
) -> Drawing:
    file = curve + ("" if where == "test" else f"-{where}")
    title = f"{TITLES[curve]}, {role(where)}"
    label = evidence.task.positive if evidence.task.kind == "binary" else name
    if position is not None:
        file += f"-{position}-{slug(name)}"
    title += ": mean over classes" if label == "all" else f": {label}"
    look, present = looks(evidence.arms), [arm for arm in evidence.arms if (table["arm"] == arm).any()]
    names = [_named(evidence, arm, curve, where, name) for arm in present]
    prevalence = evidence.prevalence(where, label) if label != "all" else math.nan
    guides = _guides(curve, prevalence)
    point = _operating_point(evidence, where) if curve == "roc" else None
    if point is not None:
        guides = [*guides, f"{evidence.chosen} at its threshold"]
    with style(file):
        figure, axes = square([*names, *guides])
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.set_xlabel(AXES[curve][0])
        axes.set_ylabel(AXES[curve][1])
        guide = _guide(axes, curve, prevalence) if guides else []
        handles = {}
        for arm in sorted(present, key=lambda arm: arm == evidence.chosen):
            points = table[table["arm"] == arm]
            strong = arm == evidence.chosen or len(present) == 1
            banded = strong or len(present) <= BANDS
            draw = _bins if curve == "calibration" else _line
            handles[arm] = draw(axes, points, look[arm], strong, banded)
        if point is not None:
            guide += axes.plot(
                [1 - point[1]], [point[0]], marker="o", markersize=8, markerfacecolor="none",
                markeredgecolor=INK, markeredgewidth=1.6, linestyle="none", zorder=5,
            )  # fmt: skip
        legend(figure, [*(handles[arm] for arm in present), *guide], [*names, *guides])
        described = f"{title}. " + "; ".join(names) + "".join(f"; {guide}" for guide in guides)
        return finish(figure, file, title, described)


def _named(evidence: Evidence, arm: str, curve: str, where: str, name: str) -> str:
    if curve == "calibration":
        found = evidence.estimate(arm, "brier", role=where, of=_of(evidence, name))
        return f"{arm} (Brier {number(found.value)})" if found.known else arm
    wanted = "auc" if curve == "roc" else "average_precision"
    found = evidence.estimate(arm, wanted, role=where, of=_of(evidence, name))
    return f"{arm} ({number(found.value)})" if found.known else arm


def _of(evidence: Evidence, name: str) -> str:
    return "all" if evidence.task.kind == "binary" else name


def _guides(curve: str, prevalence: float) -> list[str]:
    if curve == "roc":
        return ["a coin (0.5)"]
    if curve == "calibration":
        return ["perfect calibration"]
    return [f"prevalence {percent(prevalence)}"] if math.isfinite(prevalence) else []


def _guide(axes, curve: str, prevalence: float) -> list:
    height = (prevalence, prevalence) if curve == "precision-recall" else (0, 1)
    return axes.plot((0, 1), height, color=MUTED, linewidth=1, linestyle=(0, (2, 2)), zorder=1)


def _line(axes, points: pd.DataFrame, look: Look, strong: bool, banded: bool):
    points = points.reset_index(drop=True)
    if banded and np.isfinite(points["low"]).any():
        axes.fill_between(
            points["x"], points["low"], points["high"], color=look.colour, alpha=0.16, linewidth=0, zorder=1.5
        )
    return axes.plot(
        points["x"], points["y"], color=look.colour, linestyle=look.dash, linewidth=2.2 if strong else 1.1, zorder=3
    )[0]


def _bins(axes, points: pd.DataFrame, look: Look, strong: bool, banded: bool):
    points = points.sort_values("x", kind="stable")
    if banded and np.isfinite(points["low"]).any():
        axes.vlines(points["x"], points["low"], points["high"], color=look.colour, linewidth=1.2, alpha=0.55)
    return axes.plot(
        points["x"], points["y"], color=look.colour, linestyle=look.dash, marker=look.marker,
        markersize=5 if strong else 3.2, linewidth=1.8 if strong else 0.8, zorder=3,
    )[0]  # fmt: skip


def _operating_point(evidence: Evidence, where: str) -> tuple[float, float] | None:
    """Sensitivity and specificity of the chosen arm at its thresholds, for two classes."""
    if evidence.task.kind != "binary":
        return None
    sensitivity = evidence.estimate(evidence.chosen, "sensitivity", role=where)
    specificity = evidence.estimate(evidence.chosen, "specificity", role=where)
    return (sensitivity.value, specificity.value) if sensitivity.known and specificity.known else None
