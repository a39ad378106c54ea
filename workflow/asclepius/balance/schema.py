"""The training table of one recipe and fold."""

from asclepius.tables import Schema

TABLE = Schema(
    "balance/table",
    {
        "example": "int",  # 0, 1, ...
        "source": "str",  # real or synthetic
        "image": "str",  # null for a synthetic example
        "row": "int",  # of the synthetic store, -1 for a real image
        "label": "str",
        "weight": "float",
        "parents": "str",  # JSON list of the training images a synthetic example was made from
        "values": "str",  # JSON object: table values of a synthetic example, null in it where it has none
    },
    key=("example",),
    nullable=frozenset({"image", "parents", "values"}),
)
