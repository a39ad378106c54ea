"""Tables of the split stage."""

from asclepius.tables import Schema

ROLES = ("train", "validation", "test", "external", "unlabelled")

FOLDS = Schema(
    "split/folds",
    {
        "image": "str",
        "patient": "str",
        "group": "str",  # patients who share an image are one group
        "fold": "int",
        "role": "str",  # one of ROLES; "external" is a test in every fold that pooled figures leave out
    },
    key=("image", "fold"),
)

DROPPED = Schema("split/dropped", {"image": "str", "fold": "int", "reason": "str", "sentence": "str"})
