"""Tables of the train stage."""

from asclepius.tables import Schema

# Beside a model whose last layers were fitted to synthetic embeddings: those examples, as in balance/table.
EXAMPLES = "examples.parquet"
EMBEDDED = "in the embedding"  # ends the name of such a fit in fits.json

PREDICTIONS = Schema(
    "train/predictions",
    {
        "image": "str",
        "patient": "str",
        "arm": "str",
        "fold": "int",
        "seed": "int",
        "role": "str",  # validation, test or external
        "condition": "str",  # clean, or how the image was disturbed
        "target": "int",  # 1 where the image has the class
        "class": "str",
        "probability": "float",
    },
    key=("image", "arm", "fold", "seed", "condition", "class"),
)

HISTORY = Schema(
    "train/history",
    {"arm": "str", "fold": "int", "seed": "int", "epoch": "int", "metric": "str", "value": "float"},
    key=("arm", "fold", "seed", "epoch", "metric"),
)

RUNS = Schema(
    "train/runs",
    {
        "arm": "str",
        "fold": "int",
        "seed": "int",
        "model": "str",  # path of the fitted model relative to results/{study}: .keras or .skops
        "preprocess": "str",  # path of its preprocess.json
        "normalise": "str",  # method, never auto
        "why": "str",  # the reason, and what must be said of the fit
        "parameters": "int",
        "epochs": "int",
        "best_epoch": "int",
        "examples": "int",  # rows of the training table
        "seconds": "float",
        "device": "str",
    },
    key=("arm", "fold", "seed"),
)
