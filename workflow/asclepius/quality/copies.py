"""Images whose decoded pixels are equal: one is kept, or none if their labels contradict each other."""

import pandas as pd

OFFICIAL = ("train", "validation", "test")


def has_official_split(table: pd.DataFrame) -> bool:
    """Whether the source brings its own roles; an external set alone is none."""
    return bool(table["official"].isin(OFFICIAL).any())


def conflicting(table: pd.DataFrame, multilabel: bool) -> pd.Series:
    """Images of equal pixels and different labels: none of them can be trusted.

    With an official split whose images are their own patients nothing is touched here, for a test set stays
    as published: the split drops training copies of test images.

    Args:
        table: one row per image with content, patient, label and official.

    Returns:
        Sentences, index of the images they hold for.
    """
    official = has_official_split(table)
    if multilabel or (official and table["patient"].is_unique):
        return pd.Series(dtype=object)
    labels = table.groupby(_copies(table, official))["label"]
    return table.loc[labels.transform("nunique") > 1, "content"].map(
        lambda _: "identical image with two different labels; correct the label table or remove one of them"
    )


def repeated(table: pd.DataFrame) -> pd.Series:
    """Further copies of one image of one patient; the first labelled one by position stays.

    Copies under several patients stay: the split joins those patients in one group. So do copies across the
    roles of an official split, where the split decides.

    Args:
        table: one row per image with content, patient, label, official and position.

    Returns:
        Sentences, index of the images they hold for.
    """
    ordered = table.assign(_unlabelled=table["label"].isna()).sort_values(["_unlabelled", "position"], kind="stable")
    keys = [*_copies(ordered, has_official_split(ordered)), ordered["patient"]]
    later = ordered.groupby(keys).cumcount() > 0
    kept = ordered.groupby(keys)["image"].transform("first")
    return kept[later].map(lambda image: f"same pixels as image {image} of the same patient, which is kept")


def _copies(table: pd.DataFrame, official: bool) -> list[pd.Series]:
    """What the images of a group of copies have in common."""
    return [table["content"], table["official"].fillna("")] if official else [table["content"]]
