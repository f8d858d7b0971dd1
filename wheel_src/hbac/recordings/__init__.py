"""Whole recordings: an EDF file, or what MNE reads, to blocks of microvolts at 200 Hz."""
