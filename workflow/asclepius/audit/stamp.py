"""What marks a demonstration: a study that breaks rules on purpose, so that the audit records and does not stop it."""

NOTE = "demonstration run"  # beside single figures and in names of tags
STAMP = (
    "Demonstration: this study may break the rules of an honest split on purpose, and the audit did not stop it. "
    "Its figures mislead; use them for nothing but to show what a leak looks like."
)
