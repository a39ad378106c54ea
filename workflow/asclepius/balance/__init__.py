"""Balance: the training table of a fold and its synthetic examples."""
