"""Several trainings to one mixed ensemble: which of them pay, how much each counts, and what that gains."""
