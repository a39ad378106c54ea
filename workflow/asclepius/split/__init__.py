"""Split: folds by patient."""
