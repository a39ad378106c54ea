"""A table of the page: text cells, the first column heads its row."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """Args:
    text: what is written.
    small: a second, smaller line, e.g. the interval.
    strong: whether it stands out.
    """

    text: str
    small: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """Args:
    caption: what the table shows.
    head: column headings.
    rows: one list of cells per row, the first naming the row.
    note: a line below the table.
    prose: columns (by position) that hold words and are set left.
    """

    caption: str
    head: list[str]
    rows: list[list[Cell]]
    note: str = ""
    prose: frozenset[int] = field(default_factory=frozenset)


def row(*cells: str | Cell) -> list[Cell]:
    """A row of cells; plain text becomes a cell."""
    return [cell if isinstance(cell, Cell) else Cell(cell) for cell in cells]
