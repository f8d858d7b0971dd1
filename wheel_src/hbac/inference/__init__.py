"""A run of inference: answers, budget, journal, report, submission."""
