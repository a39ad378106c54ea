"""Pixels: text burned into images, found and blanked."""
