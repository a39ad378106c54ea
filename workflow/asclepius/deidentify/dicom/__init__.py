"""DICOM: reading, rewriting, proving."""
