"""The arms in numbers: metrics with intervals, differences, classes, subgroups, folds, thresholds, balance."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from asclepius.evaluate.catalogue import DECIDED, RANKED
from asclepius.evaluate.schema import METRICS as SCHEMA
from asclepius.report.evidence import Estimate, Evidence, Recipe, has_class
from asclepius.report.tabular import Cell, Table, row
from asclepius.report.wording import (
    UNKNOWN,
    count,
    full,
    interval,
    metric,
    number,
    plural,
    role,
)

SIDE_BY_SIDE = 6  # arms up to which they are columns and metrics are rows
RUNS = ["Arm", "Parameters", "Training examples", "Best epoch", "Seconds per run", "Device"]


def cell(found: Estimate, *, strong: bool = False, common: Sequence[str] = ()) -> Cell:
    """A figure with its interval beneath; an asterisk where it has a note of its own beside the common ones."""
    own = [text for text in found.note.split("; ") if text and text not in common]
    mark = "*" if found.known and own else ""
    return Cell(number(found.value) + mark, interval(found), strong)


def arms(evidence: Evidence, where: str) -> list[Table]:
    """All metrics of all arms on one tested role, best on validation first; few arms stand side by side."""
    names, common = _metrics(evidence, where), _common(evidence, where)
    heads, columns = [], []
    for arm in evidence.ranked:
        strong = arm == evidence.chosen
        heads.append(Cell(arm, "chosen on validation" if strong else "", strong))
        found = [cell(evidence.estimate(arm, name, role=where), strong=strong, common=common) for name in names]
        columns.append([Cell(number(evidence.validation(arm)), "", strong), *found])
    titles = [f"Validation {metric(evidence.primary)}", *(metric(name) for name in names)]
    patients = max((evidence.estimate(arm, evidence.primary, role=where).n for arm in evidence.arms), default=0)
    average = "" if evidence.task.kind == "binary" else " Macro averages: each class counts the same."
    caption = f"All metrics on {role(where)} ({plural(patients, 'patient')})"
    note = f"In brackets the {100 * evidence.confidence:g} % interval over patients.{average}{_notes(evidence, where)}"
    if len(heads) <= SIDE_BY_SIDE:
        head = ["Metric", *(cell.text + (" (chosen)" if cell.strong else "") for cell in heads)]
        return [
            Table(caption, head, [row(title, *cells) for title, *cells in zip(titles, *columns, strict=True)], note)
        ]
    decided = [i for i, name in enumerate(["", *names]) if name in DECIDED]
    rest = [i for i in range(len(titles)) if i not in decided]
    return [
        Table(
            caption + (": decisions" if part is decided else ""),
            ["Arm", *(titles[i] for i in part)],
            [[name, *(column[i] for i in part)] for name, column in zip(heads, columns, strict=True)],
            note if part is decided else "",
        )
        for part in (rest, decided)
        if part
    ]


def _metrics(evidence: Evidence, where: str) -> list[str]:
    """Calibration, but for the Brier score, has tables of its own."""
    table = evidence.metrics
    present = set(table[(table["role"] == where) & (table["fold"] == "all")]["metric"])
    return [name for name in (*RANKED, *DECIDED, "brier") if name in present]


def _pooled(evidence: Evidence, where: str) -> pd.DataFrame:
    table = evidence.metrics
    keep = (table["role"] == where) & (table["fold"] == "all") & (table["seed"] == "all")
    return table[keep & (table["subgroup"] == "all") & (table["class"] == "all")]


def _common(evidence: Evidence, where: str) -> list[str]:
    """Notes that stand at every figure of a role; said once, below the table."""
    notes = [note.split("; ") for note in _pooled(evidence, where)["note"]]
    return [text for text in notes[0] if text and all(text in other for other in notes)] if notes else []


def _notes(evidence: Evidence, where: str) -> str:
    common = _common(evidence, where)
    texts = {text for note in _pooled(evidence, where)["note"] for text in note.split("; ") if text}
    single = sorted(texts - set(common))
    said = "".join(f" {text[0].upper()}{text[1:]}." for text in common)
    return said + (f" * {'; '.join(single)}." if single else "")


def classes(evidence: Evidence) -> list[Table]:
    """One class against the rest, for the chosen arm; nothing for a binary study."""
    if evidence.task.kind == "binary":
        return []
    tables = []
    for where in evidence.roles:
        names = _metrics(evidence, where)
        rows = []
        for name in evidence.task.classes:
            found = {item: evidence.estimate(evidence.chosen, item, role=where, of=name) for item in names}
            having, total = evidence.positives(where, name)
            rows.append(
                row(
                    Cell(name, f"{count(having)} of {count(total)} patients"),
                    *(cell(item, common=item.note.split("; ")) for item in found.values()),
                )
            )
        shown = [i for i in range(len(names)) if any(cells[i + 1].text != UNKNOWN for cells in rows)]
        rows = [[cells[0], *(cells[i + 1] for i in shown)] for cells in rows]
        if shown:
            caption = f"{evidence.chosen}: each class against the rest, {role(where)}"
            tables.append(Table(caption, ["Class", *(metric(names[i]) for i in shown)], rows))
    return tables


def subgroups(evidence: Evidence) -> list[Table]:
    """The chosen arm in each subgroup; nothing where none was asked for."""
    tables = []
    for where in evidence.roles:
        table = evidence.metrics
        mine = table[(table["arm"] == evidence.chosen) & (table["role"] == where) & (table["fold"] == "all")]
        names = list(dict.fromkeys(mine["subgroup"]))
        if names in ([], ["all"]):
            continue
        shown = [name for name in _metrics(evidence, where) if name in set(mine[mine["subgroup"] != "all"]["metric"])]
        rows = []
        for name in ["all", *(name for name in names if name != "all")]:
            found = [evidence.estimate(evidence.chosen, item, role=where, subgroup=name) for item in shown]
            patients = max((item.n for item in found), default=0)
            title = "All" if name == "all" else name.replace("=", ": ")
            notes = {text for item in found for text in item.note.split("; ") if text.startswith(("fewer", "absent"))}
            under = "; ".join([plural(patients, "patient"), *sorted(notes)])
            rows.append(row(Cell(title, under), *(cell(item, common=item.note.split("; ")) for item in found)))
        tables.append(
            Table(
                f"{evidence.chosen} by subgroup, {role(where)}",
                ["Subgroup", *(metric(name) for name in shown)],
                rows,
                "Subgroups are small: overlapping intervals do not show that the model is equally good in each.",
            )
        )
    return tables


def spread(evidence: Evidence) -> Table | None:
    """The primary metric of each arm in single runs; None where no arm has two."""
    values = {arm: single_runs(evidence, arm) for arm in evidence.ranked}
    if max(len(found) for found in values.values()) < 2:
        return None
    rows = []
    for arm, found in values.items():
        if len(found):
            deviation = float(np.std(found, ddof=1)) if len(found) > 1 else math.nan
            figures = (float(np.mean(found)), deviation, min(found), max(found))
            rows.append(row(Cell(arm, strong=arm == evidence.chosen), count(len(found)), *map(number, figures)))
    return Table(
        f"Test {metric(evidence.primary)} in single runs",
        ["Arm", "Runs", "Mean", "SD", "Lowest", "Highest"],
        rows,
        "A run is one fold with one seed. Folds share training patients, so this spread is no interval.",
    )


def single_runs(evidence: Evidence, arm: str, where: str = "test") -> list[float]:
    """The primary metric of an arm for each fold and seed that evaluate tells apart."""
    table = evidence.metrics
    keep = (table["arm"] == arm) & (table["role"] == where) & (table["metric"] == evidence.primary)
    mine = table[keep & (table["subgroup"] == "all") & (table["class"] == "all")].sort_values(list(SCHEMA.key))
    exact = mine[(mine["fold"] != "all") & (mine["seed"] != "all")]
    partly = mine[(mine["fold"] != "all") ^ (mine["seed"] != "all")]
    values = exact if len(exact) else partly
    return [float(value) for value in values["value"] if math.isfinite(value)]


def thresholds(evidence: Evidence) -> Table | None:
    """Thresholds per arm and class over folds and seeds."""
    if evidence.thresholds.empty:
        return None
    rows = []
    for arm in evidence.ranked:
        mine = evidence.thresholds[evidence.thresholds["arm"] == arm]
        for name, of in mine.groupby("class", sort=False):
            values = of["threshold"]
            figures = (values.median(), values.min(), values.max())
            rows.append(
                row(Cell(arm, strong=arm == evidence.chosen), str(name), *(number(float(value)) for value in figures))
            )
    head = ["Arm", "Class", "Median", "Lowest", "Highest"]
    return Table("Thresholds over folds and seeds", head, rows, prose=frozenset({1}))


def runs(evidence: Evidence) -> Table | None:
    """Size and cost of each arm."""
    if evidence.runs.empty:
        return None
    rows = []
    for arm in evidence.ranked:
        mine = evidence.runs[evidence.runs["arm"] == arm]
        if mine.empty:
            continue
        best = f"{number(mine['best_epoch'].mean(), 1)} of {count(int(mine['epochs'].max()))}"
        rows.append(
            row(
                Cell(arm, strong=arm == evidence.chosen),
                count(int(mine["parameters"].max())),
                count(round(mine["examples"].mean())),
                best,
                number(float(mine["seconds"].mean()), 1),
                ", ".join(sorted(set(mine["device"]))),
            )
        )
    return Table("Size and cost (means over runs)", RUNS, rows, prose=frozenset({5}))


def normalisation(evidence: Evidence) -> Table | None:
    """How the intensities of each arm were normalised, and why; the reason of each fold where they differ."""
    if evidence.runs.empty:
        return None
    same: dict[tuple[str, str], list[str]] = {}
    for arm in evidence.ranked:
        mine = evidence.runs[evidence.runs["arm"] == arm]
        methods, reasons = (", ".join(dict.fromkeys(mine[name])) for name in ("normalise", "why"))
        same.setdefault((methods, reasons), []).append(arm)
    rows = [
        row(Cell("all" if len(same) == 1 else ", ".join(arms), strong=evidence.chosen in arms), *how)
        for how, arms in same.items()
    ]
    return Table("Normalisation of intensities", ["Arms", "Method", "Reason"], rows, prose=frozenset({0, 1, 2}))


def balance(evidence: Evidence) -> Table | None:
    """Training examples per class before and after each balancing recipe, averaged over folds."""
    classes = evidence.task.classes
    rows = []
    for name in dict.fromkeys(recipe.name for recipe in evidence.recipes):
        mine = [recipe for recipe in evidence.recipes if recipe.name == name]
        before = _mean([_training(evidence, recipe.fold) for recipe in mine])
        after = _mean([_after(recipe, classes) for recipe in mine])
        method = str(mine[0].values.get("method", name))
        cells = []
        for label in classes:
            old, new = before[label], after.get(label, before[label])
            cells.append(Cell(f"{count(old)} → {count(new)}", "", old != new))
        rows.append(row(Cell(name, method.replace("_", " ") if method != name else ""), *cells))
    if not rows:
        return None
    several = len({recipe.fold for recipe in evidence.recipes}) > 1
    embedded = any(recipe.values.get("space") == "embedding" for recipe in evidence.recipes)
    return Table(
        "Training examples per class, before → after balancing",
        ["Recipe", *classes],
        rows,
        ("Means over folds, rounded. " if several else "")
        + "Weighting changes what an example counts for, not how many there are. "
        + ("Examples made in a network's embedding come with its training and are not counted. " if embedded else "")
        + "Validation and test patients are never balanced.",
    )


def _training(evidence: Evidence, fold: int) -> dict[str, float]:
    of = evidence.in_role("train", fold)
    return {name: float(has_class(of["label"], name).sum()) for name in evidence.task.classes}


def _after(recipe: Recipe, classes: tuple[str, ...]) -> dict[str, float]:
    """What the recipe says it ended with: a mapping, or a list in the order of the classes."""
    held = recipe.values.get("after") or {}
    pairs = held.items() if isinstance(held, dict) else zip(classes, held, strict=True)
    return {str(name): float(value) for name, value in pairs}


def _mean(counts: list[dict[str, float]]) -> dict[str, int]:
    names = dict.fromkeys(name for of in counts for name in of)
    return {name: round(sum(of.get(name, 0.0) for of in counts) / len(counts)) for name in names}


def findings(evidence: Evidence) -> Table | None:
    """What the audit checked, failures first."""
    if evidence.findings.empty:
        return None
    rows = []
    for check, of in sorted(
        evidence.findings.groupby("check", sort=False), key=lambda item: bool(item[1]["passed"].all())
    ):
        bad = of[~of["passed"].astype(bool)]
        result = Cell("passed") if bad.empty else Cell("FAILED", strong=True)
        found = list(dict.fromkeys((of if bad.empty else bad)["sentence"]))
        more = f" (and {len(found) - 2} more)" if len(found) > 2 else ""
        rows.append(row(str(check), result, str(len(of)), count(int(of["checked"].sum())), "; ".join(found[:2]) + more))
    return Table(
        "What the audit looked at",
        ["Check", "Result", "Subjects", "Things checked", "Finding"],
        rows,
        prose=frozenset({1, 4}),
    )


def forest(evidence: Evidence, where: str) -> list[tuple[str, Estimate]]:
    """The primary metric of every arm on one role, best on validation first."""
    return [(arm, evidence.estimate(arm, evidence.primary, role=where)) for arm in evidence.ranked]


def summary(evidence: Evidence, where: str = "test") -> str:
    """The comparison as a sentence, for readers who do not see the plot."""
    parts = [f"{arm} {full(found)}" for arm, found in forest(evidence, where)]
    return f"{metric(evidence.primary)} on {role(where)}: " + "; ".join(parts)
