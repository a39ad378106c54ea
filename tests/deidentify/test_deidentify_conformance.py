from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from asclepius.deidentify import conformance
from asclepius.deidentify.profile import options, tables
from asclepius.deidentify.profile.decide import Treatment

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def statement():
    return conformance.statement()


@pytest.fixture(scope="module")
def actions(statement):
    """Tag to what E.1-1 says and what each preset does."""
    head = "| Tag | Attribute | E.1-1 | strict | research | tcia |"
    rows = statement.split(head)[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    found = {tag: dict(zip(("table", *options.PRESETS), rest, strict=True)) for tag, _name, *rest in cells}
    assert len(found) == len(cells)
    return found


def test_the_document_is_what_the_code_does(statement):
    written = (DOCS / "conformance.md").read_text(encoding="utf-8")
    assert written == statement, "run: python -m asclepius.deidentify.conformance > docs/conformance.md"


def test_it_tells_of_every_attribute_what_each_preset_does(actions):
    assert len(actions) == len(tables.attributes()) + 4  # curves, two of overlays, private
    for row in actions.values():
        for preset in options.PRESETS:
            assert row[preset] == conformance._SAFE_PRIVATE or set(row[preset].split(" / ")) <= set(conformance.LEGEND)


def test_known_attributes(actions):
    assert set(actions["(0010,0030)"].values()) == {"Z"}  # birth date
    assert set(actions["(0008,0018)"].values()) == {"U"}
    assert set(actions["(0002,0003)"].values()) == {"U"}
    assert set(actions["(0400,0561)"].values()) == {"X"}
    assert (actions["(0008,1030)"]["strict"], actions["(0008,1030)"]["research"]) == ("X", "C words")
    assert (actions["(0008,0020)"]["strict"], actions["(0008,0020)"]["research"]) == ("Z", "C date")
    assert (actions["(odd,xxxx)"]["strict"], actions["(odd,xxxx)"]["research"]) == ("X", "X; safe ones C")
    # Type 1 in some definitions, 2 or 3 in others.
    assert actions["(0008,0082)"] == {"table": "X/Z/D"} | dict.fromkeys(options.PRESETS, "D / X")


def test_the_basic_profile_never_does_less_than_the_table(actions):
    for tag, row in actions.items():
        if row["table"] in ("X", "Z", "D", "U"):
            # A sequence of references is kept for its UIDs; a name becomes a pseudonym.
            assert set(row["strict"].split(" / ")) <= {row["table"], "X", "Z", "D", "D pseudonym", "K items"}, tag
        assert not {"K", "C date", "C text", "C words"} & set(row["strict"].split(" / ")), tag


def test_every_option_and_treatment_is_explained(statement):
    assert set(conformance._HOW) == set(options.CODES) == set(get_args(options.Option))
    assert set(conformance.WORDS) == set(Treatment)
    assert set(conformance.WORDS.values()) == set(conformance.LEGEND)
    for code, meaning in (options.PROFILE, *options.CODES.values()):
        assert f"| {code} | {meaning} |" in statement


@pytest.mark.parametrize(
    "asked",
    [
        "## Attributes of table E.1-1",  # which attributes are removed, and which replaced
        "## Dummy values",
        "scope of referential integrity",
        "Encrypted Attributes Sequence, so there are no transfer syntaxes",
        "## Attributes that are inserted",
        "## Options",
        "## Restrictions",
    ],
)
def test_it_has_what_the_standard_asks_for(statement, asked):
    assert " ".join(asked.split()) in " ".join(statement.split())


def test_the_counts_are_those_of_the_table(statement, actions):
    counted = Counter(word for row in actions.values() for word in row["research"].split(" / "))
    block = statement.split("| Action | strict | research | tcia |")[1].split("\n\n")[0].splitlines()[2:]
    stated = {cells[0].strip(): int(cells[2]) for cells in (row.strip("|").split("|") for row in block)}
    assert stated == {word: counted[word] for word in stated}
    assert set(counted) - set(stated) == {conformance._SAFE_PRIVATE}
