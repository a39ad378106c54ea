"""Phantom: a simulated chest-CT cohort, written as DICOM."""
