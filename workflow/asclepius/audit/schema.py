"""Findings of the audit."""

from asclepius.tables import Schema

FINDINGS = Schema(
    "audit/findings",
    {
        "check": "str",  # e.g. "patients in one role"
        "subject": "str",  # e.g. "fold 0", "balance smote fold 1"
        "passed": "bool",
        "checked": "int",  # how many things were looked at
        "sentence": "str",
    },
    key=("check", "subject"),
)
