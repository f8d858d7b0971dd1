"""Arrays to a network's input: montage, spectrograms, presets, damage, the processes that read."""
