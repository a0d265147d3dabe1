"""What to do next: splits, diagnosis, choice, error analysis, labels, synthesis."""
