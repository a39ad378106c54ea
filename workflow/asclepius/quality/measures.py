"""What each image's stored values say about it, judged against images of its own modality."""

import pandas as pd

from asclepius.quality.settings import QualitySettings


def flags(table: pd.DataFrame, settings: QualitySettings) -> pd.DataFrame:
    """Flags of images; they set nothing aside by themselves, but for `blank`.

    Args:
        table: one row per stored image with `modality` and the statistics of resample/index.

    Returns:
        Columns blank, low_contrast, saturated (bool) and copies (images with the same pixels, itself included),
        index as in `table`.
    """
    kind = table["modality"].fillna("")
    blank = table["minimum"] == table["maximum"]
    extent = (table["p99"] - table["p01"]).where(~blank)
    at_maximum = table["at_maximum"].where(~blank)
    typical = extent.groupby(kind).transform("median")
    usual = at_maximum.groupby(kind).transform("median")
    return pd.DataFrame(
        {
            "blank": blank,
            "low_contrast": (extent < settings.low_contrast * typical) & ~blank,
            "saturated": (at_maximum - usual >= settings.saturated) & ~blank,
            "copies": table.groupby("content")["content"].transform("size").astype("int64"),
        },
        index=table.index,
    )
