"""The gallery of explained cases."""

from asclepius.tables import Schema

GALLERY = Schema(
    "explain/gallery",
    {
        "image": "str",
        "arm": "str",
        "fold": "int",
        "seed": "int",
        "class": "str",  # the class the heat speaks for: the predicted one; multi-label: the one called or missed
        "target": "str",  # several labels joined by "|"
        "predicted": "str",
        "probability": "float",  # of `class`
        "correct": "bool",
        "overlap": "float",  # share of the heat inside the mask; NaN without a mask or without heat
        "slice": "int",  # the slice shown, that with most heat; -1 when 2D
        "row": "int",  # in explain/heat.npz: arrays "image" and "heat", each (n, y, x), 0..1, and "mask", 0 or 1
    },
    key=("image",),
)
