"""Deidentify: removing identity; the only room besides cohort that opens raw data."""
