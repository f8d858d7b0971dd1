"""Folds fitted to a user's own EEG: statistics of normalisation, and a corrected head where there are labels."""
