"""Canary: labels shuffled between patients must give chance."""
