"""Tables of every arm beside the reference, and of calibration before and after recalibration."""

import math

from asclepius.evaluate.catalogue import AFTER, CALIBRATION, DECIDED, LOWER_IS_BETTER, RANKED, SIGNED
from asclepius.report.evidence import Difference, Evidence
from asclepius.report.tabular import Cell, Table, row
from asclepius.report.wording import interval, metric, number, p_value, percent, role, signed

ORDER = (*RANKED, "f1")
THRESHOLD = tuple(name for name in DECIDED if name != "f1")
PROBABILITIES = tuple(name for name in CALIBRATION if name not in SIGNED)


def tables(evidence: Evidence, where: str) -> list[Table]:
    """Arm minus reference on the same patients of a role; nothing where there is nothing to compare."""
    arms = evidence.compared(where)
    if not arms:
        return []
    at = "the most probable class" if evidence.task.kind == "multiclass" else "the validation threshold"
    groups = [
        ("all", "finding", ORDER),
        ("all", f"decisions by {at}", THRESHOLD),
        ("all", "probabilities as they are", PROBABILITIES),
        ("all", "recalibrated probabilities", tuple(name + AFTER for name in PROBABILITIES)),
    ]
    if evidence.task.kind != "binary":
        rare = evidence.rarest(where)
        groups.insert(1, (rare, f"the rarest class, “{rare}”", ORDER))
    return [_table(evidence, where, arms, *group) for group in groups]


def _table(evidence: Evidence, where: str, arms: list[str], of: str, title: str, names: tuple[str, ...]) -> Table:
    found = {(arm, name): evidence.difference(arm, name, role=where, of=of) for arm in arms for name in names}
    shown = [name for name in names if any(found[arm, name].known for arm in arms)]
    tested = [name for name in shown if any(math.isfinite(found[arm, name].p) for arm in arms)]
    rows = [
        row(Cell(arm), *(_cell(found[arm, name]) for name in shown), *(_chance(found[arm, name]) for name in tested))
        for arm in arms
    ]
    note = "Bold: the interval does not include zero."
    if any(name in LOWER_IS_BETTER for name in shown):
        note += " Negative is better."
    if tested:
        note += f" p: DeLong's test by patient; Holm: the same, corrected for {len(arms)} arms. Intervals are not."
    if "sensitivity_at_specificity" in shown:
        note += f" The fixed specificity is {percent(evidence.specificity)}."
    caption = f"Difference to {evidence.reference} on the same {role(where)} patients: {title}"
    head = ["Arm", *(metric(name) for name in shown), *(f"{metric(name)}: p" for name in tested)]
    return Table(caption, head, rows, note)


def _cell(found: Difference) -> Cell:
    return Cell(signed(found.value), interval(found, sign=True), found.decided)


def _chance(found: Difference) -> Cell:
    return Cell(p_value(found.p), f"Holm {p_value(found.p_holm)}" if math.isfinite(found.p_holm) else "")


def calibration(evidence: Evidence, where: str) -> list[Table]:
    """Calibration of every arm before and after recalibration; with several classes, the chosen arm's by class too."""
    binary = evidence.task.kind == "binary"
    signed_ones = ("calibration_intercept", "calibration_slope")
    names = ["brier", "ece", *(signed_ones if binary else ("intercept_error", "slope_error"))]
    rows = [
        row(Cell(arm, strong=arm == evidence.chosen), *(_before_after(evidence, arm, name, where) for name in names))
        for arm in evidence.ranked
    ]
    note = (
        "Before → after. Recalibration is fitted to each run's validation images, at their natural prevalence, and "
        "takes out what balancing did to the probabilities. Ideal: Brier score and ECE low, "
        + ("intercept 0, slope 1." if binary else "both errors 0 (means over classes).")
    )
    found = [
        _calibrated(f"Calibration on {role(where)} patients, before → after recalibration", "Arm", names, rows, note)
    ]
    if not binary:
        names = ["brier", "ece", *signed_ones]
        rows = [
            row(name, *(_before_after(evidence, evidence.chosen, item, where, name) for item in names))
            for name in evidence.task.classes
        ]
        title = f"{evidence.chosen}: calibration of each class, {role(where)}"
        found.append(
            _calibrated(title, "Class", names, rows, "Before → after recalibration; ideal: intercept 0, slope 1.")
        )
    return [table for table in found if len(table.head) > 1]


def _calibrated(title: str, first: str, names: list[str], rows: list[list[Cell]], note: str) -> Table:
    shown = [i for i in range(len(names)) if any(cells[i + 1].text for cells in rows)]
    kept = [[cells[0], *(cells[i + 1] for i in shown)] for cells in rows]
    return Table(title, [first, *(metric(names[i]) for i in shown)], kept, note)


def _before_after(evidence: Evidence, arm: str, name: str, where: str, of: str = "all") -> Cell:
    before, after = (evidence.estimate(arm, each, role=where, of=of) for each in (name, name + AFTER))
    if not before.known and not after.known:
        return Cell("")
    write = signed if name == "calibration_intercept" else number
    return Cell(
        " → ".join(write(each.value) for each in (before, after)),
        " → ".join(filter(None, map(interval, (before, after)))),
    )
