"""The flow diagram: from the images found to those in the study, with the reasons on the way (STARD 2015, item 19)."""

from html import escape
from typing import Any

from asclepius.report.drawing import BLUE, FONT, INK, MUTED, Drawing
from asclepius.report.wording import STAGES, count, plural, reason, wrapped

WIDTH, LEFT, RIGHT = 338.0, 120.0, 196.0  # points; the boxes of the trunk and of the exclusions
SIZE, LINE, PAD, GAP = 8.5, 12.0, 8.0, 18.0
CHARACTERS = 0.56 * SIZE  # mean width of a letter


def drawing(flow: dict[str, Any], roles: dict[str, tuple[int, int]]) -> Drawing:
    """Boxes down the left, exclusions to the right.

    Args:
        flow: quality/flow.json.
        roles: name of a use: patients and images, shown below the included.
    """
    found, included = flow["found"], flow["included"]
    stages: dict[str, list[dict[str, Any]]] = {}
    for step in flow["steps"]:
        if step["images"]:
            stages.setdefault(step["stage"], []).append(step)
    canvas = _Canvas()
    canvas.trunk("Found", _amount(found))
    left = found["images"]
    for position, (stage, steps) in enumerate(stages.items()):
        lines = [f"{reason(step['reason'])}: {_brief(step)}" for step in steps]
        total = sum(step["images"] for step in steps)
        canvas.aside(f"Set aside at {STAGES.get(stage, stage)}: {plural(total, 'image')}", lines)
        left -= total
        if position < len(stages) - 1:
            canvas.trunk(f"After {STAGES.get(stage, stage)}", [plural(left, "image")])
    canvas.trunk("In the study", _amount(included), strong=True)
    classes = [f"{name}: {_brief(of)}" for name, of in (flow.get("classes") or {}).items()]
    if classes:
        canvas.wide("Images by class", classes)
    if roles:
        canvas.wide(
            "Images by use", [f"{name}: {_brief({'patients': p, 'images': i})}" for name, (p, i) in roles.items()]
        )
    left_out = [
        f"{count(step['images'])} set aside at {STAGES.get(stage, stage)} ({reason(step['reason'])})"
        for stage, steps in stages.items()
        for step in steps
    ]
    ends = f"{plural(found['images'], 'image')} found", f"{plural(included['images'], 'image')} in the study."
    described = "; ".join([ends[0], *left_out, ends[1]])
    return Drawing("flow", "From what was found to what was studied", described, canvas.svg())


def _amount(of: dict[str, Any]) -> list[str]:
    patients = of.get("patients")
    return [plural(of["images"], "image"), *([plural(patients, "patient")] if patients else [])]


def _brief(of: dict[str, Any]) -> str:
    patients = of.get("patients")
    return count(of["images"]) + (f" ({plural(patients, 'patient')})" if patients else "")


class _Canvas:
    """Stacks boxes downwards and remembers where the trunk is."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = 2.0
        self.last: float | None = None  # lower edge of the trunk's last box

    def trunk(self, head: str, lines: list[str], *, strong: bool = False) -> None:
        height = self._height(head, lines, LEFT)
        self._arrow_to(self.y)
        self._box(2.0, self.y, LEFT, head, lines, strong)
        self.last = self.y + height
        self.y += height + GAP

    def wide(self, head: str, lines: list[str]) -> None:
        height = self._height(head, lines, WIDTH - 4)
        self._arrow_to(self.y)
        self._box(2.0, self.y, WIDTH - 4, head, lines, False)
        self.last = self.y + height
        self.y += height + GAP

    def aside(self, head: str, lines: list[str]) -> None:
        """An exclusion beside the trunk's line; the next box of the trunk starts below it."""
        height = self._height(head, lines, RIGHT)
        x, middle, trunk = WIDTH - RIGHT - 2, self.y + height / 2, 2.0 + LEFT / 2
        self._box(x, self.y, RIGHT, head, lines, False)
        self._line(trunk, self.last or 0.0, trunk, middle, arrow=False)
        self._line(trunk, middle, x, middle)
        self.last = middle
        self.y += height + GAP

    def _arrow_to(self, y: float) -> None:
        if self.last is not None:
            self._line(2.0 + LEFT / 2, self.last, 2.0 + LEFT / 2, y)

    def _wrap(self, head: str, lines: list[str], width: float) -> tuple[list[str], list[str]]:
        room = int((width - 2 * PAD) / CHARACTERS)
        return wrapped(head, int(room * 0.92)), [piece for line in lines for piece in wrapped(line, room)]

    def _height(self, head: str, lines: list[str], width: float) -> float:
        return sum(map(len, self._wrap(head, lines, width))) * LINE + 2 * PAD - 2

    def _box(self, x: float, y: float, width: float, head: str, lines: list[str], strong: bool) -> None:
        colour = BLUE if strong else MUTED
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{self._height(head, lines, width):g}" rx="4" '
            f'style="fill: none; stroke: {colour}; stroke-width: {1.8 if strong else 1}"/>'
        )
        heads, rest = self._wrap(head, lines, width)
        for i, text in enumerate([*heads, *rest]):
            weight = "bold " if i < len(heads) else ""
            self.parts.append(
                f'<text x="{x + PAD:g}" y="{y + PAD + LINE * (i + 0.65):g}" '
                f'style="font: {weight}{SIZE}px {FONT}; fill: {INK}">{escape(text)}</text>'
            )

    def _line(self, x0: float, y0: float, x1: float, y1: float, *, arrow: bool = True) -> None:
        self.parts.append(
            f'<path d="M{x0:g} {y0:g}L{x1:g} {y1:g}" style="fill: none; stroke: {MUTED}; stroke-width: 1.2"/>'
        )
        if arrow:
            tip = f"M{x1 - 5:g} {y1 - 3:g}L{x1:g} {y1:g}L{x1 - 5:g} {y1 + 3:g}z"
            if x0 == x1:
                tip = f"M{x1 - 3:g} {y1 - 5:g}L{x1:g} {y1:g}L{x1 + 3:g} {y1 - 5:g}z"
            self.parts.append(f'<path d="{tip}" style="fill: {MUTED}"/>')

    def svg(self) -> str:
        height = self.y - GAP + 2
        namespace = "http://www.w3.org/2000/svg"
        start = (
            f'<svg xmlns="{namespace}" width="{WIDTH:g}pt" height="{height:g}pt" viewBox="0 0 {WIDTH:g} {height:g}">'
        )
        return start + "".join(self.parts) + "</svg>"
