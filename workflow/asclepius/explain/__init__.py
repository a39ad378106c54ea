"""Explain: where a network looks."""
