"""hbac: six probabilities for harmful brain activity from 50 s of EEG and a ten-minute spectrogram, offline.

    from pathlib import Path
    import hbac

    if __name__ == "__main__":  # a script needs this guard: records are read in processes of their own
        summary = hbac.predict(hbac.RunSettings(test_dir=Path("DIR"), manifest=Path("weights_manifest.json")))

Names are loaded when they are first used, so that `import hbac` loads neither TensorFlow nor SciPy nor pandas.
"""

from importlib import import_module
from typing import Any

from hbac.version import __version__

_HOME = {
    "CLASSES": "competition",
    "VOTE_COLUMNS": "competition",
    "HbacError": "errors",
    "InputError": "errors",
    "RecordError": "errors",
    "SubmissionError": "errors",
    "WeightsError": "errors",
    "Record": "records",
    "read_eeg": "records",
    "read_spectrogram": "records",
    "read_test_table": "tables",
    "read_train_table": "tables",
    "crop_eeg": "records",
    "crop_spectrogram": "records",
    "host_spectrogram": "spectrogram",
    "rebuild_window": "spectrogram",
    "ImageSettings": "image",
    "PRESETS": "image",
    "make_image": "image",
    "NetworkSettings": "resnet",
    "build": "resnet",
    "Manifest": "manifest",
    "read_manifest": "manifest",
    "load_fold": "checkpoints",
    "set_weights": "weights",
    "load_record": "preprocess",
    "Loader": "loading",
    "TensorFlowEngine": "engine",
    "Ensemble": "ensemble",
    "new_manifest": "ensemble",
    "write_manifest": "manifest",
    "check_submission": "submission",
    "write_submission": "submission",
    "RunSettings": "inference",
    "Summary": "outcome",
    "predict": "inference",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hbac' has no attribute {name!r}")
    return getattr(import_module(f"hbac.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
