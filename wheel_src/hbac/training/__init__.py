"""From rows to folds: cache, batches, one fold, out-of-fold predictions, report."""
