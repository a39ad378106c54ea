"""Checks of the split: nobody and nothing on two sides."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from asclepius.audit.assignment import ABSENT, CODE, SIDE, SIDES, Assignment
from asclepius.audit.findings import EXAMPLES, Finding, number, some


def check_roles(assignment: Assignment, folds: pd.DataFrame, dropped: pd.DataFrame) -> Iterator[Finding]:
    """All checks of split/folds and split/dropped against quality/images."""
    images = assignment.images
    group = _groups(assignment, folds)
    yield _groups_hold_together(assignment, folds)
    kinds = (
        ("patients in one role", "patient", "patients", images["patient"]),
        ("groups in one role", "group", "groups of patients who share images", group),
        ("pictures in one role", "picture", "different pictures", images["content"]),
        ("near-duplicates in one role", "group", "groups of pictures that look the same", images["duplicates"]),
    )
    for check, one, many, column in kinds:
        if column.isna().all():
            yield Finding(check, "all folds", True, 0, f"There are no {many}.")
            continue
        codes, names = pd.factorize(column)  # -1 where an image has no role at all
        for fold in assignment.folds:
            yield _one_side(check, one, many, codes, names, assignment, fold)
    for fold in assignment.folds:
        yield _accounted(assignment, dropped, fold)
        yield _gave_way(assignment, dropped, fold)
    if len(assignment.folds) > 1:
        yield _tested_once(assignment)


def _one_side(
    check: str, one: str, many: str, codes: np.ndarray, names: np.ndarray, assignment: Assignment, fold: int
) -> Finding:
    role = assignment.role[fold]
    there = (role != ABSENT) & (codes >= 0)
    side = SIDE[role[there]]
    on = np.stack([np.bincount(codes[there][side == s], minlength=len(names)) > 0 for s in range(len(SIDES))])
    checked = int(on.any(axis=0).sum())
    crossing = np.flatnonzero(on.sum(axis=0) > 1)
    if not len(crossing):
        sentence = f"None of {number(checked, many, many)} is in more than one of {_listed(SIDES)}."
        return Finding(check, f"fold {fold}", True, checked, sentence)
    examples = [
        f"{_name(one, names[code])} ({' and '.join(SIDES[s] for s in np.flatnonzero(on[:, code]))})"
        for code in crossing[:EXAMPLES]
    ]
    sentence = (
        f"{len(crossing)} of {checked} {many} are in more than one of {_listed(SIDES)}, so that the model is "
        f"tested on what it may have learnt by heart: {some(examples, len(crossing))}."
    )
    return Finding(check, f"fold {fold}", False, checked, sentence)


def _name(one: str, name: str) -> str:
    return f"{one} {name[:12] if one == 'picture' else name}"


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _groups(assignment: Assignment, folds: pd.DataFrame) -> pd.Series:
    """Group of each image as split/folds says; null where it says nothing."""
    known = folds.drop_duplicates("image").set_index("image")["group"]
    return assignment.images["image"].map(known)


def _groups_hold_together(assignment: Assignment, folds: pd.DataFrame) -> Finding:
    """Every patient and every picture in one group, and patients named as in quality/images."""
    images = assignment.images
    rows = folds[["image", "patient", "group"]].drop_duplicates()
    place = assignment.place(rows["image"])
    rows = rows[place >= 0]
    true = images.iloc[place[place >= 0]]
    problems = []
    renamed = int((rows["patient"].to_numpy() != true["patient"].to_numpy()).sum())
    if renamed:
        problems.append(f"{number(renamed, 'image')} under another patient than in the cohort")
    for name, words in (("patient", "patients"), ("content", "pictures"), ("duplicates", "near-duplicates")):
        pairs = pd.DataFrame({"thing": true[name].to_numpy(), "group": rows["group"].to_numpy()})
        pairs = pairs.dropna().drop_duplicates()
        torn = int(pairs["thing"].duplicated().sum())
        if torn:
            problems.append(f"{torn} {words} in more than one group")
    checked = images["patient"].nunique()
    if problems:
        return Finding("groups hold together", "all folds", False, checked, f"There are {', and '.join(problems)}.")
    merged = checked - rows["group"].nunique()
    sentence = f"Every one of {number(checked, 'patient')} belongs to one group" + (
        f"; {merged} of them share an image with another patient and stay with them." if merged > 0 else "."
    )
    return Finding("groups hold together", "all folds", True, checked, sentence)


def _accounted(assignment: Assignment, dropped: pd.DataFrame, fold: int) -> Finding:
    """A role or a stated reason for every image; roles that suit the image."""
    images, role = assignment.images, assignment.role[fold]
    here = dropped[dropped["fold"] == fold]
    place = assignment.place(here["image"])
    listed = np.zeros(len(images), dtype=bool)
    listed[place[place >= 0]] = True
    unlabelled = images["label"].isna().to_numpy()
    external = (images["official"] == "external").to_numpy(dtype=bool)
    problems = [
        (int((~listed & (role == ABSENT)).sum()), "without a role and without a reason"),
        (int((listed & (role != ABSENT)).sum()), "listed as left out and used all the same"),
        (int(assignment.strangers[fold]) + int((place < 0).sum()), "unknown to the cohort or listed twice"),
        (int((unlabelled & ~_is(role, "unlabelled")).sum()), "without a label in a role that needs one"),
        (int((external & ~_is(role, "external")).sum()), "of the second source not kept for test"),
        (int((~external & (role == CODE["external"])).sum()), "of the study's own source in the role external"),
    ]
    wrong = [f"{number(count, 'image')} {words}" for count, words in problems if count]
    if wrong:
        return Finding("every image accounted for", f"fold {fold}", False, len(images), f"{'; '.join(wrong)}.")
    reasons = ", ".join(f"{count} {reason}" for reason, count in here["reason"].value_counts().items())
    left_out = f" or a reason to be left out ({reasons})" if reasons else ""
    sentence = f"Each of {number(len(images), 'image')} has one role{left_out}."
    return Finding("every image accounted for", f"fold {fold}", True, len(images), sentence)


def _gave_way(assignment: Assignment, dropped: pd.DataFrame, fold: int) -> Finding:
    """Images left out as copies are copies of an image that was kept for validation or test."""
    images, role = assignment.images, assignment.role[fold]
    kept = images[np.isin(role, [CODE[name] for name in ("validation", "test", "external")])]
    here = dropped[dropped["fold"] == fold]
    counts, groundless = [], 0
    for reason, column, words in (("copy", "content", "copies"), ("near-copy", "duplicates", "near-copies")):
        place = assignment.place(here["image"][here["reason"] == reason])
        found = images.iloc[place[place >= 0]][column]
        groundless += int((~found.isin(kept[column].dropna())).sum())
        counts.append(f"{len(place)} {words}")
    checked = int(here["reason"].isin(["copy", "near-copy"]).sum())
    sentence = (
        f"{groundless} of {number(checked, 'image')} left out as copies are no copy of an image kept for validation or "
        "test."
        if groundless
        else f"{' and '.join(counts)} of images kept for validation or test were left out of training."
    )
    return Finding("copies of test images left out", f"fold {fold}", not groundless, checked, sentence)


def _is(role: np.ndarray, name: str) -> np.ndarray:
    return np.isin(role, [ABSENT, CODE[name]])


def _tested_once(assignment: Assignment) -> Finding:
    images = assignment.images
    usable = (images["label"].notna() & (images["official"] != "external")).to_numpy(dtype=bool)
    times = (assignment.role == CODE["test"]).sum(axis=0)[usable]
    never, often = int((times == 0).sum()), int((times > 1).sum())
    check, subject, checked = "each image tested once", "all folds", int(usable.sum())
    if never or often:
        sentence = f"Of {number(checked, 'image')} {never} were never tested and {often} more than once."
        return Finding(check, subject, False, checked, sentence)
    sentence = f"Each of {number(checked, 'image')} is tested in exactly one of the folds."
    return Finding(check, subject, True, checked, sentence)
