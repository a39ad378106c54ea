"""Quality: what is kept, what is not, and why."""
