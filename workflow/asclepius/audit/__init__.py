"""Audit: proof that nothing leaked."""
