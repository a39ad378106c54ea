"""Images that the protocol sets aside by a column's value or by a flag."""

import difflib

import pandas as pd

from asclepius.errors import StudyError

SENTENCE = "{column} is {value}, set aside by quality.exclude"
FLAGGED = "flagged {flag}, set aside by quality.exclude"
FLAGS = "flags"  # the rule that names flags rather than values of a column


def excluded(table: pd.DataFrame, flags: pd.DataFrame, rules: dict[str, list[str]]) -> pd.Series:
    """The sentence for every image a rule meets; the first rule that does counts.

    Args:
        table: one row per image with the columns of deidentify/manifest.
        flags: columns of quality/flags, index as in `table`.
        rules: column to values, or "flags" to names of flags; numbers are compared as people write them ("40" meets
            40.0), "" is an empty cell.

    Returns:
        Sentences, index of the images they hold for.

    Raises:
        StudyError: a rule names no column.
    """
    sentences = pd.Series(index=table.index, dtype=object)
    for column, values in rules.items():
        if column == FLAGS:
            for flag in values:
                sentence = FLAGGED.format(flag=flag.replace("_", " "))
                sentences = sentences.mask(flags[flag] & sentences.isna(), sentence)
            continue
        if column not in table.columns:
            near = difflib.get_close_matches(column, [*table.columns], n=1, cutoff=0.5)
            more = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(table.columns)}"
            raise StudyError(
                f"config: quality.exclude.{column}: the images have no such column; {more} "
                "A column of the label table needs cohort.columns and the prefix x_"
            )
        text = table[column].map(_text)
        for value in values:
            met = text == str(value)
            if not met.any():
                print(f"quality.exclude.{column}: no image has the value {value!r}")
            sentence = SENTENCE.format(column=column, value=repr(value) if value else "empty")
            sentences = sentences.mask(met & sentences.isna(), sentence)
    return sentences.dropna()


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
