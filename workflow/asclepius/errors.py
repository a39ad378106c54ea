"""Two ways to fail: the study as a whole, or a single image."""

from dataclasses import dataclass


class StudyError(Exception):
    """The study cannot go on. The message says what was wrong, where, and what to do."""


@dataclass(frozen=True)
class Reason:
    """Why an image is left out. A failure counts against `cohort.max_rejected`; the rest is protocol."""

    name: str
    failure: bool


REASONS = {
    reason.name: reason
    for reason in (
        Reason("empty", True),
        Reason("truncated", True),
        Reason("unreadable", True),
        Reason("undecodable", True),
        Reason("unlabelled", True),
        Reason("wrong-shape", True),
        Reason("geometry", True),
        Reason("identity", True),
        Reason("burned-in-text", False),
        Reason("face", False),
        Reason("wrong-modality", False),
        Reason("not-an-image", False),
        Reason("duplicate", False),
        Reason("blank", False),
        Reason("excluded", False),
    )
}


class Rejected(Exception):
    """One image cannot be used: it goes to quarantine and the run goes on.

    The sentence must hold no identifier (no file name, no header value that names a person):
    quarantine tables lie outside `restricted/`.
    """

    def __init__(self, reason: str, sentence: str):
        self.reason = REASONS[reason].name
        self.sentence = sentence
        super().__init__(f"{reason}: {sentence}")
