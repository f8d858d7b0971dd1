"""Tensors, Keras files, the manifest, checkpoints."""
