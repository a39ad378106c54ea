"""Examples between others: which sampler draws them, for which classes, and what cleaning leaves.

The balance stage calls it on stored pixels, the train stage on a network's embedding.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from asclepius.balance.cleaning import edited, tomek
from asclepius.balance.pairs import Interpolated, Pairs
from asclepius.balance.rows import Beside, Rows, Stacked, spread
from asclepius.balance.sampling import enlarged
from asclepius.balance.settings import BalanceSettings
from asclepius.balance.smote import (
    Around,
    TracedADASYN,
    TracedBorderlineSMOTE,
    TracedSMOTE,
    TracedSVMSMOTE,
    Unsuited,
)
from asclepius.balance.values import Values
from asclepius.errors import StudyError

CLEANING: dict[str, Callable[[Rows, np.ndarray], np.ndarray]] = {"smote_tomek": tomek, "smote_enn": edited}


@dataclass(frozen=True)
class Made:
    """What is left of a fold, and what was added.

    Args:
        real: (n,) whether each example of the fold stays.
        pairs: parents of the synthetic examples of each raised class, by number.
        values: their table values, likewise; empty without columns.
        states: the `random_state` of each class.
        dropped: synthetic examples of each class that cleaning took away.
    """

    real: np.ndarray
    pairs: dict[int, Pairs]
    values: dict[int, Values] = field(default_factory=dict)
    states: dict[int, int] = field(default_factory=dict)
    dropped: dict[int, int] = field(default_factory=dict)


def make(
    settings: BalanceSettings,
    rows: Rows | np.ndarray,
    classes: np.ndarray,
    names: tuple[str, ...],
    seeds: list[int],
    title: str,
    values: Values | None = None,
) -> Made:
    """Draw synthetic examples until smaller classes have their size, then clean if the method says so.

    Args:
        rows: (n, features) of the fold's training examples; float32.
        classes: (n,) number of the class of each.
        names: of the classes.
        seeds: of the draw; each class has a draw of its own.
        title: what and where, for messages.
        values: table values of the examples, if the model takes any.

    Raises:
        StudyError: a class is too small or unsuited, with what to write instead.
    """
    counts = np.bincount(classes, minlength=len(names))
    wanted = enlarged(counts, settings.ratio)
    raised = np.flatnonzero(wanted > counts).tolist()
    _check(settings, counts, raised, names, title)
    if values is not None and values.nominal_only and not rows.shape[1]:
        raise StudyError(f"{title}: model.columns are all categories, nothing lies between two; use random_over")
    around = Around(rows, classes)
    found = Made(np.ones(len(classes), bool), {})
    for column in raised:
        mine = np.flatnonzero(classes == column)
        samples = rows[mine]
        if values is not None:
            more = values.features(spread(samples), mine)
            samples, around = np.hstack([samples, more[mine].astype(np.float32)]), Around(Beside(rows, more), classes)
        state = found.states[column] = int(np.random.SeedSequence([*seeds, column]).generate_state(1)[0])
        try:
            drawn = _sampler(settings, state).draw(samples, int(wanted[column]) - len(mine), around, column)
        except Unsuited as error:
            raise StudyError(f"{title}: class {names[column]!r}: {error}") from None
        found.pairs[column] = drawn.of_rows(mine)
        if values is not None:
            found.values[column] = values.synthetic(found.pairs[column], state)
    if settings.method in CLEANING:
        return _cleaned(CLEANING[settings.method], found, rows, classes, names, title, values)
    return found


def _sampler(
    settings: BalanceSettings, state: int
) -> TracedSMOTE | TracedBorderlineSMOTE | TracedSVMSMOTE | TracedADASYN:
    k, m = settings.k_neighbors, settings.m_neighbors
    match settings.method:
        case "borderline_smote":
            return TracedBorderlineSMOTE(random_state=state, k_neighbors=k, m_neighbors=m)
        case "svm_smote":
            return TracedSVMSMOTE(random_state=state, k_neighbors=k, m_neighbors=m)
        case "adasyn":
            return TracedADASYN(random_state=state, n_neighbors=k)
    return TracedSMOTE(random_state=state, k_neighbors=k)


def _check(
    settings: BalanceSettings, counts: np.ndarray, raised: list[int], names: tuple[str, ...], title: str
) -> None:
    k, m = settings.k_neighbors, settings.m_neighbors
    for column in raised:
        count = int(counts[column])
        if count <= k:
            smaller = f"write balance.k_neighbors: {count - 1}, or " if count > 1 else ""
            raise StudyError(
                f"{title}: class {names[column]!r} has {count} training image{'s' if count > 1 else ''}, "
                f"{k} neighbours need {k + 1}; {smaller}use balance.method: random_over"
            )
    if settings.method in ("borderline_smote", "svm_smote") and raised and counts.sum() <= m:
        raise StudyError(
            f"{title}: {counts.sum()} training images, {m} neighbours need {m + 1}; "
            f"write balance.m_neighbors: {counts.sum() - 1}"
        )


def _cleaned(
    stays: Callable[[Rows, np.ndarray], np.ndarray],
    found: Made,
    rows: Rows | np.ndarray,
    classes: np.ndarray,
    names: tuple[str, ...],
    title: str,
    values: Values | None,
) -> Made:
    """Without the examples at odds with their neighbours, real and synthetic ones searched together."""
    everything: Rows = Stacked([rows, *(Interpolated(rows, pairs) for pairs in found.pairs.values())])
    if values is not None:
        whole = values
        for each in found.values.values():
            whole = whole.joined(each)
        everything = Beside(everything, whole.features(spread(rows)))
    sizes = [len(pairs) for pairs in found.pairs.values()]
    kept = stays(everything, np.concatenate([classes, np.repeat(list(found.pairs), sizes).astype(classes.dtype)]))
    real, *synthetic = np.split(kept, np.cumsum([len(classes), *sizes])[:-1])
    masks = dict(zip(found.pairs, synthetic, strict=True))
    for column, name in enumerate(names):
        if not real[classes == column].any() and not masks.get(column, np.zeros(0, bool)).any():
            raise StudyError(
                f"{title}: every example of class {name!r} has neighbours of other classes, none would be left; "
                "use balance.method: smote"
            )
    return Made(
        real,
        {column: pairs.take(masks[column]) for column, pairs in found.pairs.items()},
        {column: each.take(masks[column]) for column, each in found.values.items()},
        found.states,
        {column: int((~mask).sum()) for column, mask in masks.items()},
    )
