"""The index of the array store."""

from asclepius.tables import Schema

INDEX = Schema(
    "resample/index",
    {
        "image": "str",
        "shard": "int",
        "row": "int",  # in the shard's array file
        "mask_row": "int",  # in the shard's mask file, -1 without a mask
        "boxes": "str",  # as in the manifest, in voxels of the stored grid
        "shape": "str",  # JSON, stored shape without channel: [y, x] or [z, y, x]
        "spacing": "str",  # JSON, mm, same order; null where the source tells none
        "original_shape": "str",
        "original_spacing": "str",
        "crop": "str",  # JSON [x0, y0, z0, x1, y1, z1] kept of the turned original, upper end exclusive
        "minimum": "float",
        "maximum": "float",
        "mean": "float",
        "std": "float",
        "p01": "float",  # first percentile
        "p99": "float",
        "at_maximum": "float",  # share of pixels at the highest value
        "content": "str",  # SHA-256 of the decoded original pixels: equal for copies of one image
        "note": "str",  # what was repaired, e.g. "1 missing slice interpolated"
    },
    key=("image",),
    nullable=frozenset({"boxes", "crop", "spacing", "original_spacing", "note"}),
)
