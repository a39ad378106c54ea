"""What all figures share: colours, fonts, layout with the legend below the axes, and SVG for page and file.

On the page, colours become CSS variables, so that plots follow a light or a dark scheme; in a file they are
the light ones on white.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asclepius.report.wording import wrapped

INK, MUTED, GRID, CELL = "#1b1f24", "#5b6470", "#dfe3e8", "#0071b1"
# Okabe and Ito (2008), without black (INK instead) and with yellow last: it is faint on white.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a800",
)  # fmt: skip
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW)
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
VARIABLES = {
    INK: "--ink", MUTED: "--muted", GRID: "--grid", CELL: "--cell", BLUE: "--blue", VERMILLION: "--vermillion",
    GREEN: "--green", PURPLE: "--purple", ORANGE: "--orange", SKY: "--sky", YELLOW: "--yellow",
}  # fmt: skip
FONT = "'DejaVu Sans', Verdana, 'Helvetica Neue', Arial, sans-serif"
SIZE = 9.0  # points
WIDTH = 4.7  # inches: 451 CSS pixels, two beside each other on a desk; a telephone shrinks the text by a fifth at most
LINE = 0.19  # inches per legend line

RC = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": SIZE,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": SIZE,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Drawing:
    """A figure of the report.

    Args:
        name: of its file, without the ending.
        title: above it on the page.
        description: the figure in words, for readers who do not see it.
        svg: with literal light colours.
    """

    name: str
    title: str
    description: str
    svg: str

    def file(self) -> str:
        """The SVG that stands for itself: white behind it."""
        return (
            re.sub(r"(<svg [^>]*>)", r'\1<rect width="100%" height="100%" fill="#ffffff"/>', self.svg, count=1) + "\n"
        )

    def inline(self) -> str:
        """The SVG as part of an HTML page: colours as variables, labelled, its width in CSS pixels."""
        svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", self.svg).replace("xlink:href", "href")
        for colour, variable in VARIABLES.items():
            svg = svg.replace(colour, f"var({variable})")
        svg = re.sub(r'(fill|stroke)="(var\(--[a-z]+\))"', r'style="\1: \2"', svg)
        svg = svg.replace(FONT, "var(--plot)")
        width, height = (float(value) for value in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
        size = f'style="width: {width * 4 / 3:.0f}px; aspect-ratio: {width:.1f} / {height:.1f}"'
        return re.sub(
            r"<svg [^>]*>", f'<svg viewBox="0 0 {width:g} {height:g}" {size} aria-hidden="true">', svg, count=1
        )


@dataclass(frozen=True)
class Look:
    """How an arm (or a class) is drawn, in every figure alike."""

    colour: str
    dash: object
    marker: str


def looks(names: list[str]) -> dict[str, Look]:
    """A colour for each of up to seven names; further ones differ by dashes and markers."""
    count = len(PALETTE)
    return {
        name: Look(PALETTE[i % count], DASHES[(i // count) % len(DASHES)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(names)
    }


@contextmanager
def style(name: str) -> Iterator[None]:
    """The figures' style; ids inside the SVG depend on the figure's name alone, so that bytes repeat."""
    with plt.rc_context(RC | {"svg.hashsalt": name}):
        yield


def finish(figure: Figure, name: str, title: str, description: str) -> Drawing:
    """The figure as SVG without date, creator and group ids (ids repeat among the figures of one page)."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :].rstrip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
    svg = re.sub(r"'DejaVu Sans'(, [^;\"]*?sans-serif)?", FONT, svg)
    return Drawing(name, title, description, svg)


def legend_height(names: list[str]) -> float:
    """Inches that the legend of these names takes below the axes."""
    columns = _columns(names)
    lines = [len(wrapped(name, _room(columns))) for name in names]
    per_column = -(-len(names) // columns)
    return (
        max(sum(lines[i * per_column : (i + 1) * per_column]) for i in range(columns)) * LINE + 0.12 if names else 0.0
    )


def _columns(names: list[str]) -> int:
    return 2 if len(names) > 1 and max(map(len, names)) <= 26 else 1


def _room(columns: int) -> int:
    return 26 if columns == 2 else 56


def square(names: list[str], side: float = 3.2) -> tuple[Figure, Axes]:
    """A figure with square axes and room for a legend of these names below."""
    below = legend_height(names)
    height = 0.15 + side + 0.55 + below
    figure = plt.figure(figsize=(WIDTH, height))
    left = (WIDTH - side) / 2 + 0.1
    axes = figure.add_axes((left / WIDTH, (height - 0.15 - side) / height, side / WIDTH, side / height))
    return figure, axes


def legend(figure: Figure, handles: list, names: list[str]) -> None:
    """A legend along the lower edge, outside all axes; long names wrap."""
    if not names:
        return
    columns = _columns(names)
    figure.legend(
        handles,
        ["\n".join(wrapped(name, _room(columns))) for name in names],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=columns,
        frameon=False,
        borderaxespad=0.2,
        handlelength=2.2,
        columnspacing=1.5,
        labelspacing=0.35,
        fontsize=SIZE,
    )
