"""Tables of the stage: the index of the array store, and what headers say of geometry."""

from asclepius.tables import Schema

FIXED_TEST = ("test", "external")  # official roles of images that no plan looks at

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

GEOMETRY = Schema(
    "resample/geometry",
    {
        "image": "str",
        "fixed_test": "bool",  # of the source's own test set or the second source: no plan may look at it
        "flat": "bool",
        "shape": "str",  # JSON [z, y, x] of the image turned as it will be stored; null if the header cannot be read
        "spacing": "str",  # JSON [z, y, x] in mm; null where the source tells none
    },
    key=("image",),
    nullable=frozenset({"shape", "spacing"}),
)
