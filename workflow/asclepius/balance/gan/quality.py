"""How good the synthetic images of a class are, beside what real images of other patients would reach."""

from typing import Any

import numpy as np

from asclepius.balance.gan.drawing import Drawn, Space
from asclepius.balance.gan.measures import distances, fid, kid, neighbourhoods

MOST = 2000  # images of either kind that are compared, at most
FEWEST = 20  # real images; fewer tell nothing
REPEATS = 5  # halvings
HALF = 0.5  # of what real images reach: below it a warning is given
OFTEN = 0.1  # share of drawn images dropped as copies


def of_class(
    real: np.ndarray,
    patients: np.ndarray,
    drawn: Drawn,
    wanted: int,
    label: int,
    spaces: list[Space],
    seed: int,
) -> dict[str, Any]:
    """The figures of one class, for quality.json.

    Args:
        real: (n, d) features of its training images.
        patients: (n,) whatever is equal for images of one person.
        wanted: synthetic images asked for.

    Returns:
        "compared": each measure for synthetic images and for the other half of the real ones ("real"); empty if there
        are too few images. "copies": distances to the nearest training image. "warnings": sentences.
    """
    random = np.random.default_rng([seed, label])
    made = drawn.points["features"]
    enough = min(len(real), len(made)) >= FEWEST and len(np.unique(patients)) >= FEWEST
    compared = _compared(real, patients, made, random) if enough else {}
    copies = _copies(drawn, label, spaces)
    warnings = [*_likeness_warnings(compared), *_copy_warnings(drawn, wanted)]
    if not enough:
        warnings.append("Too few images or patients to tell how good the synthetic ones are.")
    return {
        "real": len(real), "synthetic": len(drawn.images), "compared": compared, "copies": copies, "warnings": warnings
    }  # fmt: skip


def halves(patients: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two halves without a patient in both, as equal as whole patients allow."""
    names, numbers, counts = np.unique(patients, return_inverse=True, return_counts=True)
    order = random.permutation(len(names))
    first = np.zeros(len(names), bool)
    first[order[np.cumsum(counts[order]) <= len(patients) / 2]] = True
    return np.flatnonzero(first[numbers]), np.flatnonzero(~first[numbers])


def _compared(real: np.ndarray, patients: np.ndarray, made: np.ndarray, random: np.random.Generator) -> dict[str, Any]:
    """Every measure against one half of the real images: for the other half, and for as many synthetic ones."""
    found: dict[str, list[tuple[float, float]]] = {}
    errors = []
    for _ in range(REPEATS):
        one, other = halves(patients, random)
        size = min(len(one), len(other), len(made), MOST)
        half = real[random.choice(one, size, replace=False)]
        pair = real[random.choice(other, size, replace=False)], made[random.choice(len(made), size, replace=False)]
        pair_kid = [kid(half, each, random) for each in pair]
        errors.append([each.error for each in pair_kid])
        values = {"kid": [each.value for each in pair_kid], "fid": [fid(half, each) for each in pair]}
        near = [neighbourhoods(half, each) for each in pair]
        values |= {name: [each[name] for each in near] for name in near[0]}
        values["spacing"] = [_spacing(each) for each in pair]
        for name, both in values.items():
            found.setdefault(name, []).append(tuple(both))
    means = {name: np.mean(pairs, axis=0) for name, pairs in found.items()}
    result = {name: {"synthetic": float(both[1]), "real": float(both[0])} for name, both in means.items()}
    real_error, made_error = np.mean(errors, axis=0)
    result["kid"] |= {"synthetic_error": float(made_error), "real_error": float(real_error)}
    return result


def _spacing(points: np.ndarray) -> float:
    """Median distance of a point to the nearest other one of its set: small where images repeat themselves."""
    within = distances(points, points)
    np.fill_diagonal(within, np.inf)
    return float(np.median(within.min(axis=1)))


def _copies(drawn: Drawn, label: int, spaces: list[Space]) -> dict[str, Any]:
    nearest = {}
    for space in spaces:
        apart, limit = space.guard.apart[label], space.guard.limit(label)
        nearest[space.name] = {
            "limit": limit,
            "synthetic_median": float(np.median(drawn.distance[space.name])),
            "real_median": float(np.median(apart)) if len(apart) else None,
            "closer": float((drawn.distance[space.name] <= limit).mean()),
        }
    return {"drawn": drawn.drawn, "dropped": len(drawn.dropped), "nearest": nearest}


def _likeness_warnings(compared: dict[str, Any]) -> list[str]:
    if not compared:
        return []

    def share(measure):
        return compared[measure]["synthetic"] / max(compared[measure]["real"], 1e-12)

    found = []
    if share("precision") < HALF:
        found.append(
            f"Only {compared['precision']['synthetic']:.0%} of the synthetic images lie among real ones (of "
            f"real images {compared['precision']['real']:.0%} do): most look like no "
            "real image; train longer, or choose another method."
        )
    scarce = min(("recall", "coverage", "spacing"), key=share)
    if share(scarce) < HALF:
        found.append(
            f"The synthetic images show little of the variety of the real ones ({scarce} "
            f"{compared[scarce]['synthetic']:.2f}, of real images {compared[scarce]['real']:.2f}): "
            "the generator repeats a few kinds of image (mode collapse) or misses some."
        )
    return found


def _copy_warnings(drawn: Drawn, wanted: int) -> list[str]:
    found = []
    if len(drawn.dropped) > OFTEN * drawn.drawn:
        found.append(
            f"{len(drawn.dropped)} of {drawn.drawn} drawn images were too close to a training image and were "
            "dropped: the generator remembers patients; train it for a shorter time."
        )
    if len(drawn.images) < wanted:
        found.append(f"{len(drawn.images)} synthetic images instead of {wanted}, too many had to be dropped.")
    return found
