"""Quarantine: one row per image left out, the same in every stage."""

import pandas as pd

from asclepius.errors import Rejected
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
