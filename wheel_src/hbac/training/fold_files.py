"""Where a fold lies on disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FoldFiles:
    """Where a fold lies: its checkpoint, its predictions for the validation rows, and the state to resume from."""

    checkpoint: Path
    predictions: Path  # (validation rows, 6) of the best epoch
    partial: Path  # (2, validation rows, 6) with the EEG alone and with the spectrogram alone, of a finished fold
    state: Path

    @classmethod
    def named(cls, folder: Path, stem: str) -> "FoldFiles":
        """The files of the fold called `stem` in a folder."""
        return cls(
            *(folder / f"{stem}{suffix}" for suffix in (".safetensors", ".predictions.npy", ".partial.npy", ".state"))
        )
