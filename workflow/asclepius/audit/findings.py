"""One finding of the audit, in words."""

from dataclasses import asdict, dataclass

import pandas as pd

from asclepius.audit.schema import FINDINGS

EXAMPLES = 3  # named in a sentence
VIOLATIONS = 12  # listed in the message that stops the run


@dataclass(frozen=True)
class Finding:
    """Args:
    check, subject: what was looked at, and where.
    passed: whether it holds.
    checked: how many things were looked at.
    sentence: the finding in words a physician understands.
    """

    check: str
    subject: str
    passed: bool
    checked: int
    sentence: str


def table(findings: list[Finding]) -> pd.DataFrame:
    """audit/findings."""
    return pd.DataFrame([asdict(finding) for finding in findings], columns=list(FINDINGS.columns))


def extended(earlier: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """audit/findings with those of a later stage."""
    return pd.concat([earlier, table(findings)], ignore_index=True)


def lines(findings: list[Finding]) -> list[str]:
    """The log: one line per finding."""
    width = max((len(finding.check) for finding in findings), default=0)
    return [f"{'ok    ' if f.passed else 'FAILED'} {f.check:{width}}  {f.subject}: {f.sentence}" for f in findings]


def refusal(findings: list[Finding]) -> str | None:
    """The message that stops the run; None if all is well."""
    failed = [finding for finding in findings if not finding.passed]
    if not failed:
        return None
    shown = [f"- {finding.check}, {finding.subject}: {finding.sentence}" for finding in failed[:VIOLATIONS]]
    more = [f"- and {len(failed) - VIOLATIONS} more, see this job's log"] if len(failed) > VIOLATIONS else []
    head = f"audit: {len(failed)} of {len(findings)} checks failed; figures from such data would mislead:"
    return "\n".join([head, *shown, *more])


def number(count: int, noun: str, plural: str | None = None) -> str:
    """ "1 image", "2 images"."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def some(names: list[str], total: int) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {total - EXAMPLES} more" if total > EXAMPLES else ""
    return ", ".join(names[:EXAMPLES]) + more
