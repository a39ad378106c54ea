"""Cohort: finding the images, patients and labels of a source."""
