"""Augment: random transforms of a batch."""
