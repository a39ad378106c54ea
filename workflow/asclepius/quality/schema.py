"""Tables of the quality stage."""

from asclepius.deidentify.schema import MANIFEST
from asclepius.resample.schema import INDEX
from asclepius.tables import Schema

# Of one shard, rows in the order of its array file; miniatures and pictures have the same order.
MEASURES = Schema(
    "quality/measures",
    {
        "image": "str",
        "at_minimum": "float",  # see measures.Measures
        "noise": "float",
        "sharpness": "float",
        "text": "int",
        "phash": "str",  # 16 hexadecimal digits per plane of the miniature
        "dhash": "str",
    },
    key=("image",),
)

FLAGS = Schema(
    "quality/flags",
    {
        "image": "str",
        "blank": "bool",
        "low_contrast": "bool",
        "saturated": "bool",
        "clipped": "bool",
        "noisy": "bool",
        "blurred": "bool",
        "foreign_spacing": "bool",
        "wrong_orientation": "bool",
        "wrong_body_part": "bool",
        "burned_in_text": "bool",
        "judged": "bool",  # whether there are enough images of its kind to tell what is unusual
        "copies": "int",  # images with the same pixels, itself included
        "near_copies": "int",  # images in its group of near-duplicates, itself included
        "included": "bool",
    },
    key=("image",),
)

# One row per pair of images that look the same; image_a comes first by position.
DUPLICATES = Schema(
    "quality/duplicates",
    {
        "image_a": "str",
        "image_b": "str",
        "hamming": "int",  # differing bits of the DCT hashes, all planes together
        "correlation": "float",  # of the miniatures without their coarse layout
        "group": "str",
    },
    key=("image_a", "image_b"),
)

# One row per image that the study uses: everything later stages need, in order of position.
IMAGES = Schema(
    "quality/images",
    {
        **{k: v for k, v in MANIFEST.columns.items() if k not in ("path", "member", "row", "format", "mask")},
        **{k: v for k, v in INDEX.columns.items() if k not in ("image", "shard")},
        "duplicates": "str",  # group of near-duplicates that the split keeps together; null without one
    },
    key=("image",),
    nullable=MANIFEST.nullable | INDEX.nullable | {"duplicates"},
    extra=True,
)
