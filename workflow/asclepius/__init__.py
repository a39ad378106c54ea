"""Asclepius: from a folder of medical images to a defensible comparison of classifiers."""

__version__ = "0.1.0"
