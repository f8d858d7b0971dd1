"""Data sets in the competition's format whose answers are known by construction."""
