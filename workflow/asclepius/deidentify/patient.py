"""What is the same for all files of one patient."""

from dataclasses import dataclass, field
from typing import Any

from asclepius.deidentify.identifiers import Identifiers
from asclepius.deidentify.profile.decide import Policy
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.text.clean import Text

# UIDs that the standard itself defines: SOP classes, transfer syntaxes, coding schemes, well-known frames.
ROOT = "1.2.840.10008."
Change = tuple[str, str, str]  # tag, keyword, action code


@dataclass
class Patient:
    """One patient while the patient's files are cleaned.

    Args:
        name: the patient's pseudonym.
        days: how far all dates move back.
        pseudonyms: for UIDs.
        policy: what happens to each attribute.
        words: further words that may stay in cleaned text.
        identifiers: grows as files are read.
        issued: UIDs given out, for the proof.
    """

    name: str
    days: int
    pseudonyms: Pseudonyms
    policy: Policy
    words: tuple[str, ...] = ()
    identifiers: Identifiers = field(default_factory=Identifiers)
    issued: set[str] = field(default_factory=set)

    # What was found out about equal bytes: of elements, by coding, character sets and kind of object.
    rewritten: dict[tuple, dict] = field(default_factory=dict)
    harvested: dict[tuple, set] = field(default_factory=dict)
    verified: dict[tuple, set] = field(default_factory=dict)
    proven: Any = None  # the file that the proof has read last
    reread: set[str] = field(default_factory=set)  # series of which pydicom has read a file

    def __post_init__(self) -> None:
        self.text = Text(self.identifiers, dates="full_dates" not in self.policy.options, words=self.words)

    @classmethod
    def of(cls, original: str, pseudonyms: Pseudonyms, policy: Policy, words: tuple[str, ...] = ()) -> "Patient":
        """The patient of that identifier."""
        patient = cls(pseudonyms.patient(original), pseudonyms.days(original), pseudonyms, policy, words)
        patient.identifiers.add_number(original)
        return patient

    def forget(self) -> None:
        """A new identifier is known: what was decided before must be decided again."""
        self.rewritten.clear()
        self.verified.clear()

    def uid(self, uid: str) -> str:
        """The new UID for an old one; one of the standard stays, and all do where UIDs are retained."""
        rest = uid.removeprefix(ROOT)
        if uid.startswith(ROOT) and rest.replace(".", "").isdigit() and len(rest) <= 30:
            return uid
        if self.policy.keeps_uids and uid.replace(".", "").isdigit() and len(uid) <= 64:
            self.issued.add(uid)
            return uid
        new = self.pseudonyms.uid(uid)
        self.issued.add(new)
        return new
