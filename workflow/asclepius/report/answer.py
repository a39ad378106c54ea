"""The answer in words: what was chosen, how good it is, what the data do not support, what to beware of."""

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from asclepius.evaluate.catalogue import LOWER_IS_BETTER
from asclepius.report import verdicts
from asclepius.report.evidence import Difference, Evidence
from asclepius.report.wording import (
    count,
    full,
    interval,
    listed,
    metric,
    number,
    percent,
    percent_interval,
    plural,
    role,
)

MOST = 0.5  # of a class' training images taken away
FEW = 30  # positive patients below which sensitivity is barely measured
WIDE = 0.2  # width of an interval that says little
MISCALIBRATED = 0.1  # mean distance between predicted and observed frequency
KINDS = ("better", "worse", "undecided", "unknown")


@dataclass(frozen=True)
class Figure:
    """A headline figure: what it is, its value, its interval."""

    name: str
    value: str
    interval: str
    under: str


@dataclass(frozen=True)
class Answer:
    choice: Markup
    result: list[str]
    verdict: list[str]
    figures: list[Figure]
    unsupported: list[str]
    supported: list[str]
    cautions: list[str]
    failed: list[str]


def answer(evidence: Evidence) -> Answer:
    """The first section of the page."""
    supported, unsupported = _differences(evidence)
    failed = evidence.findings[~evidence.findings["passed"].astype(bool)]
    return Answer(
        choice=_choice(evidence),
        result=[_result(evidence, name) for name in evidence.roles],
        verdict=[sentence for name in evidence.roles for sentence in verdicts.overall(evidence, name)],
        figures=_figures(evidence),
        unsupported=unsupported,
        supported=supported,
        cautions=_cautions(evidence),
        failed=[
            f"{check} ({subject}): {sentence}"
            for check, subject, sentence in zip(failed["check"], failed["subject"], failed["sentence"], strict=True)
        ],
    )


def _choice(evidence: Evidence) -> Markup:
    name, best = metric(evidence.primary), evidence.validation(evidence.chosen)
    if len(evidence.arms) == 1:
        return Markup("The study has one arm, <strong>{}</strong>; there was nothing to choose.").format(
            evidence.chosen
        )
    highest = "lowest" if evidence.primary in LOWER_IS_BETTER else "highest"
    second = evidence.ranked[1]
    return Markup(
        "Of {} arms, <strong>{}</strong> was chosen: it has the {} mean {} on validation patients "
        "({}; next is {} with {}). Test figures had no part in the choice."
    ).format(
        len(evidence.arms), evidence.chosen, highest, name, number(best), second, number(evidence.validation(second))
    )


def _result(evidence: Evidence, where: str) -> str:
    arm = evidence.chosen
    found = evidence.estimate(arm, evidence.primary, role=where)
    averaged = evidence.task.kind != "binary"
    name = metric(evidence.primary)
    name = f"mean {name} over the classes" if averaged and evidence.primary != "accuracy" else name
    if where == "external":
        text = f"On {plural(found.n, 'patient')} of the external source, which it never trained on, its {name} is "
    else:
        text = f"On {plural(found.n, 'test patient')} its {name} is "
    if not found.known:
        return f"There is no {name} for the {role(where)} set: {found.note or 'it could not be computed'}."
    text += full(found)
    text += f" ({percent(evidence.confidence)} interval)." if found.bounded else "; no interval could be computed."
    sensitivity = evidence.estimate(arm, "sensitivity", role=where)
    specificity = evidence.estimate(arm, "specificity", role=where)
    if sensitivity.known and specificity.known and not averaged:
        text += (
            f" At the threshold fixed on validation it finds {percent_interval(sensitivity)} of the images with "
            f"“{evidence.task.positive}” (sensitivity) and clears {percent_interval(specificity)} "
            "of those without (specificity)."
        )
    elif sensitivity.known and specificity.known:
        text += (
            f" Averaged over the classes, sensitivity is {percent_interval(sensitivity)} and specificity "
            f"{percent_interval(specificity)}."
        )
    return text


def _figures(evidence: Evidence) -> list[Figure]:
    names = list(dict.fromkeys([evidence.primary, "sensitivity", "specificity"]))
    figures = []
    for where in evidence.roles:
        for name in names if where == "test" else [evidence.primary]:
            found = evidence.estimate(evidence.chosen, name, role=where)
            if found.known:
                under = f"{role(where)}, {plural(found.n, 'patient')}"
                figures.append(Figure(metric(name), number(found.value), interval(found), under))
    return figures


def _differences(evidence: Evidence) -> tuple[list[str], list[str]]:
    """Sentences on the differences in the primary metric: those the data support, and those they do not."""
    sentences: dict[str, list[str]] = {name: [] for name in KINDS}
    for where in evidence.roles:
        found = {arm: evidence.difference(arm, evidence.primary, role=where) for arm in evidence.compared(where)}
        for kind in KINDS:
            arms = [(arm, each) for arm, each in found.items() if _kind(each) == kind]
            if not arms:
                continue
            words = listed([f"{arm} ({full(each, sign=True)})" for arm, each in arms])
            in_metric = f"in {role(where)} {metric(evidence.primary)}"
            reference, many = evidence.reference, len(arms) > 1
            sentences[kind].append(
                {
                    "better": f"Better than {reference} {in_metric}: {words}.",
                    "worse": f"Worse than {reference} {in_metric}: {words}.",
                    "undecided": f"That {words} {'differ' if many else 'differs'} from {reference} {in_metric}: "
                    f"{'these intervals include' if many else 'the interval includes'} zero.",
                    "unknown": f"Any difference of {words} from {reference} {in_metric}: there is no interval.",
                }[kind]
            )
    return sentences["better"] + sentences["worse"], sentences["undecided"] + sentences["unknown"]


def _kind(found: Difference) -> str:
    if not found.bounded:
        return "unknown"
    return "better" if found.better else "worse" if found.worse else "undecided"


def _cautions(evidence: Evidence) -> list[str]:
    found: list[str | None] = [
        _patients(evidence),
        *(_few(evidence, where) for where in evidence.roles),
        _wide(evidence),
        _optimism(evidence),
        *(_calibration(evidence, where) for where in evidence.roles),
        _set_aside(evidence),
        *_cleaned(evidence),
        _seeds(evidence),
        None
        if "external" in evidence.roles
        else "No external data: the test patients come from the same source as the training patients. "
        "Expect lower figures at another hospital.",
    ]
    return [caution for caution in found if caution]


def _patients(evidence: Evidence) -> str | None:
    if not evidence.patients_unknown:
        return None
    return (
        "The source names no patients, so each image counts as its own patient. If a patient has several images, "
        "they may stand on both sides of the split, and the intervals are too narrow."
    )


def _few(evidence: Evidence, where: str) -> str | None:
    few = [(name, *evidence.positives(where, name)) for name in evidence.tested_classes]
    few = [(name, having, total) for name, having, total in few if having < FEW]
    if not few:
        return None
    words = listed([f"{plural(having, 'patient')} with “{name}”" for name, having, _ in few])
    return (
        f"The {role(where)} set holds only {words} (of {count(few[0][2])}): one patient more or less moves "
        "sensitivity visibly. Read the interval, not the figure."
    )


def _wide(evidence: Evidence) -> str | None:
    found = evidence.estimate(evidence.chosen, evidence.primary)
    if not found.bounded or found.high - found.low < WIDE:
        return None
    return f"The interval of the test {metric(evidence.primary)}, {interval(found)}, is wide: the study is small."


def _optimism(evidence: Evidence) -> str | None:
    found, validation = evidence.estimate(evidence.chosen, evidence.primary), evidence.validation(evidence.chosen)
    if not found.bounded or not math.isfinite(validation) or found.low <= validation <= found.high:
        return None
    side = "above" if validation > found.high else "below"
    return (
        f"The validation {metric(evidence.primary)} of {evidence.chosen} ({number(validation)}) lies {side} the "
        f"interval of its test figure {interval(found)}: validation and test patients may differ."
    )


def _calibration(evidence: Evidence, where: str) -> str | None:
    curves = evidence.curves
    mine = curves[(curves["arm"] == evidence.chosen) & (curves["role"] == where) & (curves["curve"] == "calibration")]
    off = []
    for name, bins in mine.groupby("class", sort=False):
        known = bins[np.isfinite(bins["x"]) & np.isfinite(bins["y"]) & (bins["n"] > 0)]
        if len(known):
            distance = float(np.average((known["x"] - known["y"]).abs(), weights=known["n"]))
            if distance > MISCALIBRATED:
                off.append((str(name), distance))
    if not off:
        return None
    named = evidence.task.kind != "binary"
    words = listed([f"{percent(distance)}" + (f" for “{name}”" if named else "") for name, distance in off])
    return (
        f"On the {role(where)} set the predicted probabilities of {evidence.chosen} are off by {words} on average "
        "(calibration): use them to rank patients, not as risks."
    )


def _set_aside(evidence: Evidence) -> str | None:
    found = (evidence.flow.get("found") or {}).get("images") or 0
    left = len(evidence.quarantine)
    if not found or left / found < 0.05:
        return None
    return f"{percent(left / found)} of the images were set aside; look whether they differ from the rest."


def _cleaned(evidence: Evidence) -> list[str]:
    """Recipes that took most real images of a class away, each once."""
    found: dict[str, str] = {}
    for recipe in evidence.recipes:
        for name, gone in recipe.values.get("removed", {}).get("real", {}).items():
            before = recipe.values["before"][name]
            if gone > MOST * before:
                method = recipe.values["method"]
                found[recipe.name] = (
                    f"Cleaning by {method} took {count(gone)} of {count(before)} training images of “{name}” away "
                    f"(fold {recipe.fold}): what is left hardly shows that class. Leave {method} out, or use smote."
                )
    return list(found.values())


def _seeds(evidence: Evidence) -> str | None:
    seeds = evidence.runs["seed"].nunique()
    if seeds != 1:
        return None
    return "Each arm was trained with one seed: chance in training is not part of the intervals."
