"""Checks of training tables: only training images, and synthetic ones made of them."""

import json
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pandas as pd

from asclepius.audit.assignment import CODE, Assignment, role_counts
from asclepius.audit.findings import Finding, number

# Parents of what a generative network made: every training image of the fold. Its record of fits holds their digest.
WHOLE = ["*"]


def check_table(found: pd.DataFrame, recipe: str, fold: int, assignment: Assignment) -> Iterator[Finding]:
    """The checks of one balance/table."""
    subject = f"balance {recipe} fold {fold}"
    real = (found["source"] == "real").to_numpy()
    yield _real(found["image"][real], fold, subject, assignment)
    yield _synthetic(found["parents"][~real], fold, subject, assignment)


def sources(found: pd.DataFrame) -> set[str]:
    """What a balance/table holds that needs a record of its making: "synthetic" images, "generated" ones among them."""
    made = found["parents"][found["source"] != "real"]
    held = [("synthetic", len(made) > 0), ("generated", any(each == WHOLE for each in _parse(made)))]
    return {name for name, there in held if there}


def _real(tokens: pd.Series, fold: int, subject: str, assignment: Assignment) -> Finding:
    codes = assignment.roles_of(tokens, fold)
    wrong = codes[codes != CODE["train"]]
    passed, check = not len(wrong), "training images only"
    if passed:
        sentence = f"All {number(len(codes), 'real training example')} come from the fold's training patients."
    else:
        sentence = (
            f"{len(wrong)} of {len(codes)} examples to train on are not training images of this fold: "
            f"{role_counts(wrong)}."
        )
    return Finding(check, subject, passed, len(codes), sentence)


def _synthetic(parents: pd.Series, fold: int, subject: str, assignment: Assignment) -> Finding:
    check = "synthetic images made of training images"
    if parents.empty:
        return Finding(check, subject, True, 0, "There are no synthetic images.")
    lists = _parse(parents)
    generated = sum(each == WHOLE for each in lists)
    lists = [each for each in lists if each != WHOLE]
    lengths = np.fromiter(map(len, lists), dtype=int, count=len(lists))
    codes = assignment.roles_of(list(chain.from_iterable(lists)), fold)
    outside = codes != CODE["train"]
    orphans = int((lengths == 0).sum())
    foreign = len(np.unique(np.repeat(np.arange(len(lists)), lengths)[outside]))
    passed = not orphans and not foreign
    if passed:
        sentence = (
            f"All {number(len(parents), 'synthetic image')} were made from images of the fold's training patients alone"
            + (f"; {generated} by a network that saw them all." if generated else ".")
        )
    else:
        problems = []
        if foreign:
            problems.append(
                f"{foreign} were made from images that are not training images of this fold "
                f"(parents: {role_counts(codes[outside])}), as when images are made before the split"
            )
        if orphans:
            problems.append(f"{orphans} name no parents")
        sentence = f"Of {number(len(parents), 'synthetic image')} {'; '.join(problems)}."
    return Finding(check, subject, passed, len(parents), sentence)


def _parse(parents: pd.Series) -> list[list[str]]:
    """Lists of parents; an empty one where there are none or they cannot be read."""
    texts = [text if isinstance(text, str) else "[]" for text in parents]
    try:
        found = json.loads(f"[{','.join(texts)}]")
        if len(found) == len(texts) and all(isinstance(each, list) for each in found):
            return found
    except ValueError:
        pass
    return [_parse_one(text) for text in texts]


def _parse_one(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []
