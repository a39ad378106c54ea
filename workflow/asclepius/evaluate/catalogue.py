"""The metrics by name, and what kind each is."""

RANKED = ("auc", "average_precision", "sensitivity_at_specificity")  # of the order alone
DECIDED = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "f1")
CALIBRATION = ("brier", "ece", "calibration_intercept", "calibration_slope", "intercept_error", "slope_error")
AFTER = "_recalibrated"  # ends the name of a metric of the recalibrated probabilities
RECALIBRATED = tuple(name + AFTER for name in CALIBRATION)
METRICS = (*RANKED, *DECIDED, *CALIBRATION, *RECALIBRATED)

TITLES = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "sensitivity_at_specificity": "Sensitivity at fixed specificity",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "brier": "Brier score",
    "ece": "ECE",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
    "intercept_error": "Intercept error",
    "slope_error": "Slope error",
}
TITLES |= {name + AFTER: f"{TITLES[name]}, recalibrated" for name in CALIBRATION}


def _also_after(*names: str) -> frozenset[str]:
    return frozenset(names) | {name + AFTER for name in names}


LOWER_IS_BETTER = _also_after("brier", "ece", "intercept_error", "slope_error")
# Neither a higher nor a lower one is better; a mean over classes would let opposite faults cancel.
SIGNED = _also_after("calibration_intercept", "calibration_slope")
# Distances: each draw adds noise that a distance counts as error, so that draws lie above the estimate.
DISTANCES = _also_after("ece", "intercept_error", "slope_error")
