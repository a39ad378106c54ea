"""Contact sheets of what each arm's augmentation does to training images."""

from asclepius.report.evidence import Evidence
from asclepius.report.picture import Picture


def sheets(evidence: Evidence) -> list[Picture]:
    """One picture for each way of augmenting, named by the arms that share it, in their order."""
    same: dict[str, list[str]] = {}
    for arm in evidence.arms:
        if arm in evidence.sheets:
            same.setdefault(evidence.sheets[arm][0], []).append(arm)
    return [
        Picture(
            f"{', '.join(arms)}: {words}",
            "Contact sheet: each row a training image, untouched on the left, then as six epochs see it. " + words,
            evidence.sheets[arms[0]][1],
        )
        for words, arms in same.items()
    ]
