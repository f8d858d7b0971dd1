"""The machine that a run meets: packages, variables, cores and memory, and whose fault a fault is."""
