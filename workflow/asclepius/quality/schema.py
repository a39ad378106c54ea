"""Tables of the quality stage."""

from asclepius.deidentify.schema import MANIFEST
from asclepius.resample.schema import INDEX
from asclepius.tables import Schema

FLAGS = Schema(
    "quality/flags",
    {"image": "str", "blank": "bool", "low_contrast": "bool", "saturated": "bool", "copies": "int", "included": "bool"},
    key=("image",),
)

# One row per image that the study uses: everything later stages need, in order of position.
IMAGES = Schema(
    "quality/images",
    {
        **{k: v for k, v in MANIFEST.columns.items() if k not in ("path", "member", "row", "format", "mask")},
        **{k: v for k, v in INDEX.columns.items() if k not in ("image", "shard")},
    },
    key=("image",),
    nullable=MANIFEST.nullable | INDEX.nullable,
    extra=True,
)
