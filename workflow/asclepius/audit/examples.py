"""Checks of training tables: only training images, and synthetic ones made of them."""

import json
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pandas as pd

from asclepius.audit.assignment import CODE, Assignment, role_counts
from asclepius.audit.findings import Finding, number


def check_table(found: pd.DataFrame, recipe: str, fold: int, assignment: Assignment) -> Iterator[Finding]:
    """The checks of one balance/table."""
    subject = f"balance {recipe} fold {fold}"
    real = (found["source"] == "real").to_numpy()
    yield _real(found["image"][real], fold, subject, assignment)
    if not real.all():
        yield _synthetic(found["parents"][~real], fold, subject, assignment)


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
    lists = _parse(parents)
    lengths = np.fromiter(map(len, lists), dtype=int, count=len(lists))
    codes = assignment.roles_of(list(chain.from_iterable(lists)), fold)
    outside = codes != CODE["train"]
    orphans = int((lengths == 0).sum())
    foreign = len(np.unique(np.repeat(np.arange(len(lists)), lengths)[outside]))
    passed, check = not orphans and not foreign, "synthetic images made of training images"
    if passed:
        sentence = (
            f"All {number(len(lists), 'synthetic image')} were made from images of the fold's training patients alone."
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
        sentence = f"Of {number(len(lists), 'synthetic image')} {'; '.join(problems)}."
    return Finding(check, subject, passed, len(lists), sentence)


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
