"""Tables of the evaluate stage."""

from asclepius.tables import Schema

METRICS = Schema(
    "evaluate/metrics",
    {
        "arm": "str",
        "fold": "str",  # a number, or "all": out-of-fold predictions pooled (test), mean over folds (other roles)
        "seed": "str",  # a number, or "all": mean over seeds
        "role": "str",  # validation, test or external
        "subgroup": "str",  # "all", or e.g. "sex=F"
        "class": "str",  # "all" (macro average where there are more than two), or one class against the rest
        "metric": "str",
        "value": "float",
        "low": "float",
        "high": "float",
        "n": "int",  # patients
        "note": "str",
    },
    key=("arm", "fold", "seed", "role", "subgroup", "class", "metric"),
)

DIFFERENCES = Schema(
    "evaluate/differences",
    {
        "arm": "str",
        "reference": "str",
        "role": "str",
        "class": "str",  # as in evaluate/metrics
        "metric": "str",
        "value": "float",  # arm minus reference on the same patients
        "low": "float",
        "high": "float",
        "n": "int",
        "p": "float",  # two-sided, clustered DeLong; of the AUC of one class against the rest alone
        "p_holm": "float",  # the same after Holm's correction for the number of arms
        "seeds": "int",
        "agree": "int",  # seeds in which arm and reference differ in the same direction as in their mean
        "note": "str",
    },
    key=("arm", "reference", "role", "class", "metric"),
)

THRESHOLDS = Schema(
    "evaluate/thresholds",  # no rows when multi-class: the most probable class is the decision
    {"arm": "str", "fold": "int", "seed": "int", "class": "str", "threshold": "float", "note": "str"},
    key=("arm", "fold", "seed", "class"),
)

RECALIBRATIONS = Schema(
    "evaluate/recalibrations",  # of logits, or of log-probabilities where classes exclude each other
    {
        "arm": "str",
        "fold": "int",
        "seed": "int",
        "class": "str",
        "slope": "float",
        "offset": "float",
        "note": "str",
    },
    key=("arm", "fold", "seed", "class"),
)

CURVES = Schema(
    "evaluate/curves",
    {
        "arm": "str",
        "role": "str",  # test or external
        "class": "str",  # "all" when binary (the positive class), else one class against the rest
        "curve": "str",  # roc, precision-recall or calibration
        "x": "float",  # false-positive rate, recall, mean probability
        "y": "float",  # sensitivity, precision, observed frequency
        "low": "float",
        "high": "float",
        "n": "int",  # patients; of the bin in a calibration curve
    },
)

CONFUSION = Schema(
    "evaluate/confusion",
    # images, mean over seeds (external: over folds and seeds); multi-label: "x" and "not x" for each class x
    {"arm": "str", "role": "str", "target": "str", "predicted": "str", "count": "float"},
    key=("arm", "role", "target", "predicted"),
)
