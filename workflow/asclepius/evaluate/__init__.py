"""Evaluate: metrics with patient-level intervals."""
