"""The other plots: forest plots of arms and differences, single runs, confusion matrices, learning curves."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from asclepius.evaluate.catalogue import AFTER, LOWER_IS_BETTER
from asclepius.report.comparison import forest, single_runs, summary
from asclepius.report.drawing import (
    BLUE,
    CELL,
    INK,
    MUTED,
    SIZE,
    VERMILLION,
    WIDTH,
    Drawing,
    finish,
    legend,
    legend_height,
    looks,
    style,
)
from asclepius.report.evidence import Evidence
from asclepius.report.verdicts import difference, headline, named
from asclepius.report.wording import count, interval, metric, number, percent, plural, role, signed, slug, wrapped

NAME = 20  # characters of an arm's name per line
ROW = 0.42  # inches per arm
HIGHER, LOWER = "Right of the line", "Left of the line"
HEAVY = 12  # confusion matrices of one role
LOSSES = (("loss", "train_loss", "train/loss"), ("val_loss", "validation_loss", "validation/loss"))


def comparison(evidence: Evidence, where: str) -> Drawing | None:
    """Forest plot: every arm's primary metric with its interval, best on validation first."""
    rows = [(arm, found) for arm, found in forest(evidence, where) if found.known]
    if not rows:
        return None
    file = "comparison" if where == "test" else f"comparison-{where}"
    title = f"{metric(evidence.primary)} on {role(where)}, best on validation first"
    look = looks(evidence.arms)
    chance = 0.5 if evidence.primary in ("auc", "balanced_accuracy") else math.nan
    described = summary(evidence, where)
    entries = [(arm, found, look[arm].colour, look[arm].marker, arm == evidence.chosen) for arm, found in rows]
    return _forest(file, title, described, entries, metric(evidence.primary), chance, number)


def differences(evidence: Evidence, where: str) -> list[Drawing]:
    """Forest plots of arm minus reference with the line of no difference, the primary metric first."""
    more = () if where != "test" else (*headline(evidence), "brier", f"brier{AFTER}")
    found = [_difference(evidence, where, name) for name in dict.fromkeys([evidence.primary, *more])]
    return [drawing for drawing in found if drawing is not None]


def _difference(evidence: Evidence, where: str, name: str) -> Drawing | None:
    rows = [(arm, difference(evidence, arm, name, where)) for arm in evidence.compared(where)]
    rows = [(arm, found) for arm, found in rows if found.known]
    if not rows:
        return None
    look = looks(evidence.arms)
    entries = [(arm, found, look[arm].colour, look[arm].marker, found.decided) for arm, found in rows]
    file = "-".join(
        ["differences", *([] if name == evidence.primary else [slug(name)]), *([] if where == "test" else [where])]
    )
    word = named(evidence, name, where)
    place = "" if where == "test" else f", {role(where)}"
    title = f"Difference to {evidence.reference} in {word}{place}"
    described = f"{title}: " + "; ".join(f"{arm} {signed(found.value)} {interval(found)}" for arm, found in rows)
    return _forest(
        file, title, described, entries, f"{LOWER if name in LOWER_IS_BETTER else HIGHER} is better", 0.0, signed
    )


def _forest(file, title, described, entries, label, line, write) -> Drawing:
    names = [wrapped(name, NAME) for name, *_ in entries]
    heights = [max(ROW, 0.17 * len(lines) + 0.14) for lines in names]
    height = sum(heights) + 0.6
    with style(file):
        figure = plt.figure(figsize=(WIDTH, height))
        left, right = _margin(names), 1.3
        axes = figure.add_axes((left / WIDTH, 0.5 / height, (WIDTH - left - right) / WIDTH, (height - 0.6) / height))
        places = [sum(heights[:i]) + heights[i] / 2 for i in range(len(entries))]
        for place, (_, found, colour, marker, strong), lines in zip(places, entries, names, strict=True):
            if found.bounded:
                axes.plot((found.low, found.high), (place, place), color=colour, linewidth=2.4 if strong else 1.6)
            axes.plot([found.value], [place], marker=marker, markersize=8 if strong else 6, color=colour)
            weight = "bold" if strong else "normal"
            inside = axes.get_yaxis_transform()
            axes.text(-0.04, place, "\n".join(lines), ha="right", va="center", fontweight=weight, transform=inside)
            bounds = f"\n[{write(found.low)}, {write(found.high)}]" if found.bounded else ""
            axes.text(1.04, place, write(found.value) + bounds, va="center", fontweight=weight, transform=inside)
        values = [v for _, e, *_ in entries for v in (e.value, e.low, e.high) if math.isfinite(v)]
        low, high = min(values), max(values)
        margin = max(0.06 * (high - low), 0.01)
        if math.isfinite(line) and (line >= low - 0.15 or line == 0.0):
            axes.axvline(line, color=MUTED, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
            low, high = min(low, line), max(high, line)
        axes.set(xlim=(low - margin, high + margin), ylim=(sum(heights), 0), xlabel=label, yticks=[])
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        return finish(figure, file, title, described)


def _margin(names: list[list[str]]) -> float:
    """Inches that the names left of the axes take."""
    return 0.25 + 0.085 * max(len(line) for lines in names for line in lines)


def runs(evidence: Evidence) -> Drawing | None:
    """Every fold and seed of every arm as a point, their mean as a bar."""
    rows = [(arm, single_runs(evidence, arm)) for arm in evidence.ranked]
    rows = [(arm, values) for arm, values in rows if values]
    if not rows or max(len(values) for _, values in rows) < 2:
        return None
    look = looks(evidence.arms)
    names = [wrapped(arm, NAME) for arm, _ in rows]
    heights = [max(ROW, 0.17 * len(lines) + 0.14) for lines in names]
    height, left = sum(heights) + 0.6, _margin(names)
    title = f"Test {metric(evidence.primary)} of single runs, bar: their mean"
    with style("runs"):
        figure = plt.figure(figsize=(WIDTH, height))
        axes = figure.add_axes((left / WIDTH, 0.5 / height, (WIDTH - left - 0.2) / WIDTH, (height - 0.6) / height))
        for i, (arm, values) in enumerate(rows):
            place = sum(heights[:i]) + heights[i] / 2
            spread = np.linspace(-0.07, 0.07, len(values)) if len(values) > 1 else [0.0]
            axes.plot(
                values, place + np.asarray(spread), linestyle="none", marker=look[arm].marker, color=look[arm].colour,
                markersize=6, alpha=0.75, markeredgewidth=0,
            )  # fmt: skip
            axes.plot([np.mean(values)] * 2, (place - 0.15, place + 0.15), color=INK, linewidth=1.8)
            axes.text(
                -0.04, place, "\n".join(names[i]), ha="right", va="center", transform=axes.get_yaxis_transform(),
                fontweight="bold" if arm == evidence.chosen else "normal",
            )  # fmt: skip
        axes.set(ylim=(sum(heights), 0), yticks=[], xlabel=metric(evidence.primary))
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        described = "; ".join(f"{arm} mean {number(float(np.mean(values)))}" for arm, values in rows)
        return finish(figure, "runs", title, f"{title}: {described}")


def confusions(evidence: Evidence, where: str) -> list[Drawing]:
    """A matrix per arm; in a multi-label study one per class, of the chosen arm."""
    table = evidence.confusion[evidence.confusion["role"] == where]
    suffix = "" if where == "test" else f"-{where}"
    if evidence.task.kind != "multilabel":
        arms = [arm for arm in evidence.ranked[:HEAVY] if (table["arm"] == arm).any()]
        return [
            _confusion(
                table[table["arm"] == arm], list(evidence.task.classes), f"confusion-{arm}{suffix}",
                f"{arm}, {role(where)}",
            )
            for arm in arms
        ]  # fmt: skip
    table = table[table["arm"] == evidence.chosen]
    drawings = []
    for number_of, name in enumerate(evidence.task.classes, 1):
        names = [f"not {name}", name]
        mine = table[table["target"].isin(names) & table["predicted"].isin(names)]
        if len(mine):
            file = f"confusion-{evidence.chosen}{suffix}-{number_of}-{slug(name)}"
            drawings.append(_confusion(mine, names, file, f"{evidence.chosen}, {role(where)}: {name}"))
    return drawings


def _confusion(table: pd.DataFrame, names: list[str], file: str, title: str) -> Drawing:
    """Truth against prediction, shaded by the share of each true class."""
    counts = np.zeros((len(names), len(names)))
    for item in table.itertuples(index=False):
        counts[names.index(item.target), names.index(item.predicted)] += item.count
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    edge = 0.95 if len(names) <= 3 else 0.62
    labels = [wrapped(name, 14) for name in names]
    longest = max(len(line) for lines in labels for line in lines)
    left = 0.4 + 0.078 * longest
    slanted = longest * 0.085 > edge
    below = 0.35 + (0.065 * longest + 0.15 if slanted else 0.17 * max(map(len, labels)))
    width, height = left + edge * len(names) + (0.1 if not slanted else 0.3), edge * len(names) + below + 0.12
    with style(file):
        figure = plt.figure(figsize=(width, height))
        axes = figure.add_axes((left / width, below / height, edge * len(names) / width, edge * len(names) / height))
        for y in range(len(names)):
            for x in range(len(names)):
                share = float(shares[y, x])
                axes.add_patch(
                    plt.Rectangle((x, y), 1, 1, facecolor=CELL, alpha=round(0.04 + 0.9 * share, 3), linewidth=0)
                )
                colour = "#ffffff" if share > 0.5 else INK
                small = SIZE if edge > 0.8 else SIZE - 2
                axes.text(x + 0.5, y + 0.42, count(round(counts[y, x], 1)), ha="center", va="center", color=colour)
                if totals[y, 0]:
                    axes.text(
                        x + 0.5, y + 0.72, percent(share), ha="center", va="center", color=colour, fontsize=small - 1
                    )
        axes.set(xlim=(0, len(names)), ylim=(len(names), 0), xlabel="Predicted", ylabel="True")
        middle = np.arange(len(names)) + 0.5
        axes.set_xticks(middle, ["\n".join(lines) for lines in labels])
        if slanted:
            plt.setp(axes.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(middle, ["\n".join(lines) for lines in labels])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        right = "; ".join(f"{name} {percent(float(shares[i, i]))}" for i, name in enumerate(names))
        return finish(figure, file, title, f"{title}: share of each true class called rightly: {right}")


def learning(evidence: Evidence) -> Drawing | None:
    """Training and validation loss over epochs: thin lines are runs, thick ones their mean."""
    found = set(evidence.history["metric"])
    keys = [next((name for name in names if name in found), None) for names in LOSSES]
    epochs = evidence.history.groupby("arm")["epoch"].nunique()
    arms = [arm for arm in evidence.arms if epochs.get(arm, 0) > 1]
    if not arms or not any(keys):
        return None
    columns = 1 if len(arms) == 1 else 2
    lines = -(-len(arms) // columns)
    panel, gap, top, names = 1.55, 0.62, 0.3, ["training loss", "validation loss", "kept epoch (mean)"]
    below = legend_height(names) + 0.3
    height = top + lines * panel + (lines - 1) * gap + 0.15 + below
    side, between = 0.55, 0.55
    width = (WIDTH - side - 0.1 - between * (columns - 1)) / columns
    with style("learning-curves"):
        figure = plt.figure(figsize=(WIDTH, height))
        handles: dict[str, object] = {}
        for i, arm in enumerate(arms):
            x, y = side + (i % columns) * (width + between), height - top - (i // columns) * (panel + gap) - panel
            axes = figure.add_axes((x / WIDTH, y / height, width / WIDTH, panel / height))
            _losses(axes, evidence, arm, keys, handles)
            axes.set_title("\n".join(wrapped(arm, 30)[:2]), fontweight="bold" if arm == evidence.chosen else "normal")
        shown = [name for name in names if name in handles]
        figure.text(0.5, (below - 0.3 + 0.02) / height, "Epoch", ha="center", va="bottom")
        legend(figure, [handles[name] for name in shown], shown)
        described = f"Learning curves of {plural(len(arms), 'arm')}: training and validation loss over epochs."
        return finish(figure, "learning-curves", "Loss over epochs", described)


def _losses(axes, evidence: Evidence, arm: str, keys: list[str | None], handles: dict[str, object]) -> None:
    mine = evidence.history[evidence.history["arm"] == arm]
    values = []
    for key, name, colour, dash in (
        (keys[0], "training loss", BLUE, "-"),
        (keys[1], "validation loss", VERMILLION, (0, (5, 2))),
    ):
        of = mine[mine["metric"] == key]
        of = of[np.isfinite(of["value"])]
        for _, run in of.groupby(["fold", "seed"]):
            axes.plot(run["epoch"], run["value"], color=colour, linewidth=0.7, alpha=0.35)
        if len(of):
            mean = of.groupby("epoch")["value"].mean()
            handles[name] = axes.plot(
                mean.index, mean.values, color=colour, linewidth=1.8, linestyle=dash,
                marker="o" if len(mean) == 1 else "",
            )[0]  # fmt: skip
            values += list(of["value"])
    of = evidence.runs[evidence.runs["arm"] == arm]
    if len(of) and values:
        handles["kept epoch (mean)"] = axes.axvline(
            float(of["best_epoch"].mean()), color=MUTED, linewidth=1, linestyle=(0, (1, 2))
        )
    if values:
        top = max(float(np.quantile(values, 0.98)), 1e-9)
        axes.set_ylim(min(0.0, min(values)), top * 1.1)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
