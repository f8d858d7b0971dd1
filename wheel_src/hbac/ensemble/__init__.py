"""Folds to calibrated mean probabilities."""
