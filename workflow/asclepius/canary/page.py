"""The canary's page: what shuffled labels gave with honest folds, and beside it with naive ones."""

from pathlib import Path

import matplotlib.pyplot as plt
from markupsafe import Markup

import asclepius
from asclepius.canary.chance import CHANCE
from asclepius.report import drawing
from asclepius.report.canary import SPLITS, told_auc
from asclepius.templates import template

TEMPLATE = Path(__file__).with_name("canary.html.j2")
STYLE = Path(drawing.__file__).parent / "page.css"
COLOURS = {"fair": drawing.BLUE, "naive": drawing.VERMILLION}
MARKERS = {"fair": "o", "naive": "D"}
WIDE = 6.6  # inches
ROW = 0.27


def render(outcome: dict, study: str) -> str:
    """The page as HTML that needs no other file.

    Args:
        outcome: what canary.json holds.
    """
    drawn = plot(outcome["rows"])
    return template(TEMPLATE).render(
        study=study,
        outcome=outcome,
        splits=SPLITS,
        plot=drawn,
        svg=Markup(drawn.inline()),
        confidence=f"{100 * outcome['confidence']:g} %",
        told=told_auc,
        version=asclepius.__version__,
        css=Markup(STYLE.read_text(encoding="utf-8")),
    )


def plot(rows: list[dict]) -> drawing.Drawing:
    """A dot and an interval per design and method; small dots are single folds."""
    places, labels, at = {}, [], 0.0
    for number, row in enumerate(rows):
        at += 1.0 if number == 0 or rows[number - 1]["design"] == row["design"] else 1.8
        places[number] = -at
        labels.append(f"{row['method']}, {SPLITS[row['design']]}")
    height = 0.75 + ROW * (at + 0.6)
    with drawing.style("canary"):
        figure = plt.figure(figsize=(WIDE, height))
        axes = figure.add_axes((0.36, 0.5 / height, 0.58, (height - 0.6) / height))
        axes.axvline(CHANCE, color=drawing.MUTED, linestyle=(0, (1.5, 1.5)), linewidth=1.2)
        for number, row in enumerate(rows):
            y, colour = places[number], COLOURS[row["design"]]
            axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
            single = [fold["auc"] for fold in row["folds"] if fold["auc"] is not None]
            axes.plot(single, [y] * len(single), "|", color=colour, markersize=6, markeredgewidth=0.9)
            face = "white" if row["design"] == "fair" and not row["failed"] else colour
            axes.plot(row["auc"], y, MARKERS[row["design"]], color=colour, markerfacecolor=face, markersize=6.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-at - 0.7, -0.3)
        axes.set_yticks(list(places.values()), labels)
        axes.set_xlabel("AUC on labels shuffled between patients; 0.5 is chance")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        described = "; ".join(f"{label}: {told_auc(row)}" for label, row in zip(labels, rows, strict=True))
        return drawing.finish(figure, "canary", "AUC on labels that mean nothing", described)
