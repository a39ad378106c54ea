"""The `cohort` section: where images, patients and labels come from."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from asclepius.settings import Settings

Source = Literal["phantom", "dicom", "nifti", "images", "medmnist", "msd"]


class LabelSettings(Settings):
    path: Path | None = Field(None, description="table with the labels (CSV or TSV); null reads them from the source")
    key: Literal["patient", "study", "series", "file"] = Field("file", description="what a row of the table describes")
    match: str | None = Field(None, description="column that holds the key; null takes the column named like the key")
    column: str = Field("label", description="column that holds the label")
    per: Literal["patient", "visit", "image"] = Field(
        "image", description="whose label it is; per patient, two are an error"
    )
    classes: list[str] | None = Field(None, description="classes in order; null takes all that occur, sorted")
    merge: dict[str, list[str]] = Field({}, description="class: labels of the table that count as it")
    positive: str | None = Field(None, description="the class to find in a two-class study; null takes the last")
    multilabel: bool = Field(False, description="an image may have several labels, joined by separator")
    separator: str = Field("|", description="between the labels of one cell of a multi-label table")


class SourceSettings(Settings):
    """What the study's own source and an external one have in common."""

    source: Source = Field("images", description="phantom, dicom, nifti (also BIDS), images, medmnist or msd")
    path: Path | None = Field(None, description="folder or file, relative to the working directory")
    images: str | None = Field(None, description="folder below path that holds the images; null is path itself")
    labels: LabelSettings = Field(LabelSettings(), description="where the labels are")
    patient: str | None = Field(
        None, description="column with the patient; null: DICOM header, BIDS name, else one image is one patient"
    )
    visit: str | None = Field(None, description="column with the visit or its date")
    site: str | None = Field(None, description="column with the site")
    age: str | None = Field(None, description="column with the age in years")
    sex: str | None = Field(None, description="column with the sex (F, M, O)")
    official: str | None = Field(None, description="column with the source's own split: train, validation or test")
    mask: str | None = Field(
        None,
        description="column with the path of a mask, a file or the folder of a DICOM series, relative to path; DICOM "
        "segmentations and structure sets are found without it",
    )
    boxes: str | None = Field(
        None, description="column with boxes: JSON list of [x0, y0, z0, x1, y1, z1] in voxels, upper end exclusive"
    )
    columns: list[str] = Field([], description="further columns that may pass into the de-identified data")
    where: dict[str, list[str]] = Field(
        {}, description="column: values; rows of the label table with other values are excluded"
    )
    modality: list[str] = Field(
        [], description="DICOM modalities or BIDS suffixes to keep, e.g. [CT], [T1w]; others are set aside"
    )

    sequences: list[str] = Field(
        [],
        description="nifti: the files of one visit that become the channels of one image, in this order: BIDS suffixes "
        "(T1w, FLAIR), or words of the file names in one folder; set resample.channels to their number",
    )

    @model_validator(mode="after")
    def _tells_modality(self) -> "SourceSettings":
        if self.modality and self.source in ("images", "medmnist", "msd"):
            raise ValueError(f"modality: source {self.source} does not tell it; remove modality")
        if self.sequences and (self.source != "nifti" or len(set(self.sequences)) < 2):
            raise ValueError("sequences: for source nifti, two or more, each once")
        return self


class CohortSettings(SourceSettings):
    unit: Literal["volume", "slice", "image"] = Field(
        "image", description="what is classified: a volume, a slice or a picture"
    )
    shards: int = Field(
        8, ge=1, le=4096, description="parts the cohort is worked on in; about 2,000 images each is good"
    )
    max_rejected: float = Field(0.1, ge=0, le=1, description="share of images that may fail before the run stops")
    external: SourceSettings | None = Field(None, description="a second source, used for test alone")
