"""Resample: one grid and one compact type for every image."""
