"""Batches that hold the classes in given shares, drawn from images of each class in turn."""

import numpy as np


def membership(targets: np.ndarray) -> np.ndarray:
    """(n, groups) bool: the classes, and one for images without any label if there are some."""
    member = targets > 0
    bare = ~member.any(axis=1)
    return np.column_stack([member, bare]) if bare.any() else member


def shares(member: np.ndarray, ratio: float) -> np.ndarray:
    """(groups,) share of each group when each smaller one is raised to `ratio` of the largest."""
    counts = member.sum(axis=0)
    raised = np.maximum(counts, ratio * counts.max())
    return raised / raised.sum()


def expected(targets: np.ndarray, ratio: float) -> np.ndarray:
    """(n,) how often an image is drawn in an epoch on average: as weights they do the same, in expectation."""
    member = membership(targets)
    return len(targets) * (member @ (shares(member, ratio) / member.sum(axis=0)))


class Turns:
    """Who is drawn when. An epoch has as many draws as images; images of small groups come several times.

    Args:
        targets: (n, classes).
        ratio: of each smaller class to the largest.
    """

    def __init__(self, targets: np.ndarray, ratio: float):
        member = membership(targets)
        self.members = [np.flatnonzero(column) for column in member.T]
        self.groups = _turns(shares(member, ratio), len(targets))

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """(n,) images in the order of an epoch; no image of a group comes again before all others of it came."""
        order = np.empty(len(self.groups), dtype=int)
        for group, members in enumerate(self.members):
            places = np.flatnonzero(self.groups == group)
            rounds = -(-len(places) // len(members))
            order[places] = np.concatenate([random.permutation(members) for _ in range(rounds)])[: len(places)]
        return order


def _turns(share: np.ndarray, length: int) -> np.ndarray:
    """(length,) groups so that any stretch of them holds the shares as nearly as whole numbers can."""
    given, found = np.zeros(len(share)), np.empty(length, dtype=int)
    for place in range(length):
        found[place] = group = np.argmax(share * (place + 1) - given)
        given[group] += 1
    return found
