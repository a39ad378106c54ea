"""What happens to each attribute: the standard's tables (`tables`), the options and the decision."""
