"""Quarantine: one row per image left out, the same in every stage."""

from collections import Counter

import pandas as pd

from asclepius.errors import REASONS, Rejected, StudyError
from asclepius.tables import Schema

QUARANTINE = Schema(
    "quarantine",
    {"image": "str", "patient": "str", "stage": "str", "reason": "str", "sentence": "str"},
    nullable=frozenset({"patient"}),
)


class Quarantine:
    """Collects the images a stage leaves out."""

    def __init__(self, stage: str):
        self.stage = stage
        self.rows: list[dict] = []

    def add(self, image: str, patient: str | None, rejected: Rejected) -> None:
        self.rows.append(
            {
                "image": image,
                "patient": patient,
                "stage": self.stage,
                "reason": rejected.reason,
                "sentence": rejected.sentence,
            }
        )

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows) if self.rows else QUARANTINE.empty()


def refuse_if_too_many(reasons: list[str], total: int, limit: float, where: str) -> None:
    """Stop a study in which more images fail than it allows; what protocol leaves out does not count.

    Args:
        reasons: of every image left out so far.
        total: images that are left.
        limit: allowed share of failures among images and failures, 0 to 1.
        where: what is being read, for the message.

    Raises:
        StudyError: counts per reason and the remedy.
    """
    counts = Counter(reason for reason in reasons if REASONS[reason].failure)
    failed = sum(counts.values())
    if failed > limit * (total + failed):
        listed = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        raise StudyError(
            f"{where}: {failed} of {total + failed} images fail ({listed}), more than cohort.max_rejected "
            f"({limit:g}) allows; mend or leave out those files, or raise cohort.max_rejected"
        )
