"""What the data say of each arm beside the reference, in sentences; where an interval holds zero, no claim."""

import math

from asclepius.evaluate.catalogue import AFTER
from asclepius.report.evidence import Difference, Estimate, Evidence
from asclepius.report.tabular import Cell, Table, row
from asclepius.report.wording import listed, metric, number, p_value, percent, role

HEADLINE = ("sensitivity_at_specificity", "auc", "average_precision", "f1")  # what arms are compared by, in words
SHOWN = "that the data can show"


def headline(evidence: Evidence) -> list[str]:
    """The metrics that words and figures compare arms by, the primary one among them."""
    return list(dict.fromkeys([*HEADLINE, evidence.primary]))


def named(evidence: Evidence, name: str, where: str) -> str:
    """A metric inside a sentence."""
    if name == "sensitivity_at_specificity":
        rare = "" if evidence.task.kind == "binary" else f" for “{evidence.rarest(where)}”"
        return f"sensitivity at {percent(evidence.specificity)} specificity{rare}"
    word = metric(name)
    word = word if word.startswith(("AUC", "F1", "ECE", "Brier")) else word[0].lower() + word[1:]
    return word if evidence.task.kind == "binary" else f"mean {word}"


def difference(evidence: Evidence, arm: str, name: str, where: str) -> Difference:
    """Of all classes; sensitivity at a fixed specificity of the rarest class, which is what balancing is for."""
    rare = name == "sensitivity_at_specificity" and evidence.task.kind != "binary"
    return evidence.difference(arm, name, role=where, of=evidence.rarest(where) if rare else "all")


def overall(evidence: Evidence, where: str) -> list[str]:
    """Whether any arm beats the reference; nothing where there is no other arm."""
    arms, reference = evidence.compared(where), evidence.reference
    if not arms:
        return []
    names = headline(evidence)
    if not any(difference(evidence, arm, name, where).bounded for arm in arms for name in names):
        return [f"On {role(where)} patients there are no intervals, so nothing can be said of differences."]
    better = {name: [arm for arm in arms if difference(evidence, arm, name, where).better] for name in names}
    said = [
        f"On {role(where)} patients better than {reference} in {named(evidence, name, where)}: {listed(better[name])}."
        for name in names
        if better[name]
    ]
    lost = [named(evidence, name, where) for name in names if not better[name]]
    if said:
        if lost:
            said.append(f"In {_either(lost)} no arm is better.")
        number_of = len(arms) * len(names)
        said.append(
            f"These are {number_of} comparisons, each with its own {percent(evidence.confidence)} interval: were all "
            f"arms alike, about {number(number_of * (1 - evidence.confidence) / 2, 1)} would still seem better."
        )
    else:
        said = [f"On {role(where)} patients no arm beats {reference} in {_either(lost)}."]
    tested = {arm: evidence.difference(arm, "auc", role=where) for arm in arms}
    tested = {arm: each for arm, each in tested.items() if math.isfinite(each.p_holm)}
    if len(tested) > 1:
        kept = [(arm, each) for arm, each in tested.items() if each.p_holm < 1 - evidence.confidence]
        words = [f"{arm} ({'higher' if each.value > 0 else 'lower'}, {p_value(each.p_holm)})" for arm, each in kept]
        holds = f"the AUC differs in {listed(words)}" if kept else "no difference in AUC remains"
        said.append(f"After Holm's correction for {len(tested)} arms {holds}.")
    return said


def arms(evidence: Evidence, where: str) -> Table | None:
    """The reference and each other arm in words: what it finds beside the reference, and its probabilities."""
    others, reference = evidence.compared(where), evidence.reference
    if not others:
        return None
    rows = [
        row(Cell(reference), "The arm that the others are compared with.", _faults(evidence, reference, where) + ".")
    ]
    for arm in others:
        said = [_faults(evidence, arm, where), _brier(evidence, arm, where)]
        finding = ". ".join(_finding(evidence, arm, where))
        rows.append(row(Cell(arm, strong=arm == evidence.chosen), finding + ".", ". ".join(filter(None, said)) + "."))
    title = f"{role(where).capitalize()} patients: each arm beside {reference}, in words"
    note = f"In brackets {percent(evidence.confidence)} intervals; Holm p: DeLong's, corrected for {len(others)} arms."
    return Table(title, ["Arm", "Finding", "Probabilities"], rows, note, prose=frozenset({1, 2}))


def _finding(evidence: Evidence, arm: str, where: str) -> list[str]:
    found = {name: difference(evidence, arm, name, where) for name in headline(evidence)}
    said = []
    first = found.pop("sensitivity_at_specificity")
    at = named(evidence, "sensitivity_at_specificity", where)
    if first.decided:
        value, bounds = _hundredths(first)
        said.append(
            f"Finds {value} {'more' if first.value > 0 else 'fewer'} of 100 {_things(evidence, where)} at "
            f"{percent(evidence.specificity)} specificity ({bounds}{_seeds(first)})"
        )
    for side, sign in (("Higher", 1), ("Lower", -1)):
        held = [(name, each) for name, each in found.items() if each.decided and each.value * sign > 0]
        if held:
            said.append(
                f"{side} {listed([f'{named(evidence, name, where)} (by {_size(each)})' for name, each in held])}"
            )
    undecided = [named(evidence, name, where) for name, each in found.items() if each.bounded and not each.decided]
    if first.bounded and not first.decided:
        # "No difference" must not be read as "the same".
        low, high = (number(100 * abs(bound), 0) for bound in (first.low, first.high))
        undecided.insert(0, f"{at} (from {low} fewer to {high} more of 100 is possible)")
    if undecided:
        said.append(f"No difference {SHOWN} in {_either(undecided)}")
    return said or ["There is no interval, so nothing can be said"]


def _hundredths(each: Estimate) -> tuple[str, str]:
    """Size and bounds in cases of 100, with decimals where whole ones would say nothing."""
    bounds = sorted(abs(100 * bound) for bound in (each.low, each.high))
    digits = 0 if bounds[0] >= 1 else 1 if bounds[0] >= 0.05 else 2
    return number(100 * abs(each.value), digits), " to ".join(number(bound, digits) for bound in bounds)


def _size(each: Difference) -> str:
    low, high = sorted((abs(each.low), abs(each.high)))
    chance = f"; Holm {p_value(each.p_holm)}" if math.isfinite(each.p_holm) else ""
    return f"{number(abs(each.value))}, {number(low)} to {number(high)}{chance}{_seeds(each)}"


def _seeds(each: Difference) -> str:
    """Said where the seeds disagree."""
    return f"; in only {each.agree} of {each.seeds} seeds" if each.agree < each.seeds else ""


def _things(evidence: Evidence, where: str) -> str:
    of = evidence.in_role(where)
    unit = "patients" if of["patient"].is_unique and not evidence.patients_unknown else "images"
    return f"{unit} with “{evidence.rarest(where)}”"


def _faults(evidence: Evidence, arm: str, where: str) -> str:
    """How an arm's own probabilities are off, of the rarest class where there are several."""
    of = "all" if evidence.task.kind == "binary" else evidence.rarest(where)
    intercept = evidence.estimate(arm, "calibration_intercept", role=where, of=of)
    slope = evidence.estimate(arm, "calibration_slope", role=where, of=of)
    whose = "" if of == "all" else f"Of “{of}”: "
    faults = []
    if intercept.bounded and not intercept.low <= 0 <= intercept.high:
        low, high = sorted(math.exp(abs(bound)) for bound in (intercept.low, intercept.high))
        size = f"odds by a factor of {number(math.exp(abs(intercept.value)), 1)}, {number(low, 1)} to {number(high, 1)}"
        faults.append(f"too {'high' if intercept.value < 0 else 'low'} ({size})")
    if slope.bounded and not slope.low <= 1 <= slope.high:
        size = f"slope {number(slope.value, 2)}, {number(slope.low, 2)} to {number(slope.high, 2)}"
        faults.append(f"too {'extreme' if slope.value < 1 else 'timid'} ({size})")
    if faults:
        text = listed(faults)
    elif intercept.bounded or slope.bounded:
        text = f"neither too high nor too low {SHOWN}" if not slope.bounded else f"no fault {SHOWN}"
    else:
        text = "calibration cannot be measured on these patients"
    return whose + text if whose else text[0].upper() + text[1:]


def _brier(evidence: Evidence, arm: str, where: str) -> str:
    """Beside the reference, before and after recalibration."""
    found = [evidence.difference(arm, name, role=where) for name in ("brier", f"brier{AFTER}")]
    if not all(each.bounded for each in found):
        return ""
    if not any(each.decided for each in found):
        return f"Brier score: no difference to {evidence.reference} {SHOWN}, before or after recalibration"
    before, after = (
        f"{'better' if each.better else 'worse'} than {evidence.reference} (by {_size(each)})"
        if each.decided
        else f"no difference {SHOWN}"
        for each in found
    )
    return f"Brier score: {before}; after recalibration {after}"


def _either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)
