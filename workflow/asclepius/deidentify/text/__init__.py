"""Free text: what must leave it, and the words that may stay."""
