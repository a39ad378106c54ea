"""Train: fitting an arm on its folds and seeds."""
