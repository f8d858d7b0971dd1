"""hbac: six probabilities for harmful brain activity from 50 s of EEG and a ten-minute spectrogram, offline.

    from pathlib import Path
    import hbac

    summary = hbac.predict(hbac.RunSettings(test_dir=Path("DIR"), manifest=Path("weights_manifest.json")))

Names are loaded when they are first used, so that `import hbac` loads neither TensorFlow nor SciPy nor pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from hbac.version import __version__

if TYPE_CHECKING:  # the same names with their types; a test holds the two lists together
    from hbac.adaptation.run import adapt as adapt
    from hbac.ensemble.calibrated import Ensemble as Ensemble
    from hbac.ensemble.calibrated import make_ensemble as make_ensemble
    from hbac.errors import HbacError as HbacError
    from hbac.errors import InputError as InputError
    from hbac.errors import MachineError as MachineError
    from hbac.errors import OutputError as OutputError
    from hbac.errors import RecordError as RecordError
    from hbac.errors import SubmissionError as SubmissionError
    from hbac.errors import WeightsError as WeightsError
    from hbac.hms import CLASSES as CLASSES
    from hbac.hms import VOTE_COLUMNS as VOTE_COLUMNS
    from hbac.inference.report import Summary as Summary
    from hbac.inference.run import RunSettings as RunSettings
    from hbac.inference.run import predict as predict
    from hbac.inference.submission import check_submission as check_submission
    from hbac.inference.submission import write_submission as write_submission
    from hbac.network.families import build as build
    from hbac.network.settings import NetworkSettings as NetworkSettings
    from hbac.network.tensorflow_engine import TensorFlowEngine as TensorFlowEngine
    from hbac.preprocessing.load import load_record as load_record
    from hbac.preprocessing.multitaper import host_spectrogram as host_spectrogram
    from hbac.preprocessing.multitaper import rebuild_window as rebuild_window
    from hbac.preprocessing.presets import PRESETS as PRESETS
    from hbac.preprocessing.presets import make_image as make_image
    from hbac.preprocessing.readers import Loader as Loader
    from hbac.preprocessing.three_zooms import ImageSettings as ImageSettings
    from hbac.recordings.answers import answers_for_windows as answers_for_windows
    from hbac.recordings.burden import burden_table as burden_table
    from hbac.recordings.events import Event as Event
    from hbac.recordings.events import Rules as Rules
    from hbac.recordings.events import events_of as events_of
    from hbac.recordings.page import write_page as write_page
    from hbac.recordings.read import read_recording as read_recording
    from hbac.recordings.recording import ArrayRecording as ArrayRecording
    from hbac.recordings.recording import Recording as Recording
    from hbac.recordings.run import ScanSettings as ScanSettings
    from hbac.recordings.run import scan_files as scan_files
    from hbac.recordings.scan import Scan as Scan
    from hbac.recordings.scan import scan as scan
    from hbac.recordings.summarise import summarise as summarise
    from hbac.records.parquet import read_eeg as read_eeg
    from hbac.records.parquet import read_spectrogram as read_spectrogram
    from hbac.records.record import Record as Record
    from hbac.records.record import crop_eeg as crop_eeg
    from hbac.records.record import crop_spectrogram as crop_spectrogram
    from hbac.records.tables import read_test_table as read_test_table
    from hbac.records.tables import read_train_table as read_train_table
    from hbac.weights.checkpoints import load_fold as load_fold
    from hbac.weights.checkpoints import new_manifest as new_manifest
    from hbac.weights.manifest import Manifest as Manifest
    from hbac.weights.manifest import read_manifest as read_manifest
    from hbac.weights.manifest import write_manifest as write_manifest
    from hbac.weights.tensors import set_weights as set_weights

_HOME = {
    "CLASSES": "hms",
    "VOTE_COLUMNS": "hms",
    "HbacError": "errors",
    "InputError": "errors",
    "MachineError": "errors",
    "OutputError": "errors",
    "RecordError": "errors",
    "SubmissionError": "errors",
    "WeightsError": "errors",
    "Record": "records.record",
    "crop_eeg": "records.record",
    "crop_spectrogram": "records.record",
    "read_eeg": "records.parquet",
    "read_spectrogram": "records.parquet",
    "read_test_table": "records.tables",
    "read_train_table": "records.tables",
    "host_spectrogram": "preprocessing.multitaper",
    "rebuild_window": "preprocessing.multitaper",
    "ImageSettings": "preprocessing.three_zooms",
    "PRESETS": "preprocessing.presets",
    "make_image": "preprocessing.presets",
    "load_record": "preprocessing.load",
    "Loader": "preprocessing.readers",
    "NetworkSettings": "network.settings",
    "build": "network.families",
    "TensorFlowEngine": "network.tensorflow_engine",
    "Manifest": "weights.manifest",
    "read_manifest": "weights.manifest",
    "write_manifest": "weights.manifest",
    "load_fold": "weights.checkpoints",
    "new_manifest": "weights.checkpoints",
    "set_weights": "weights.tensors",
    "Ensemble": "ensemble.calibrated",
    "make_ensemble": "ensemble.calibrated",
    "check_submission": "inference.submission",
    "write_submission": "inference.submission",
    "RunSettings": "inference.run",
    "predict": "inference.run",
    "Summary": "inference.report",
    "adapt": "adaptation.run",
    "Recording": "recordings.recording",
    "ArrayRecording": "recordings.recording",
    "read_recording": "recordings.read",
    "burden_table": "recordings.burden",
    "write_page": "recordings.page",
    "summarise": "recordings.summarise",
    "answers_for_windows": "recordings.answers",
    "Event": "recordings.events",
    "Rules": "recordings.events",
    "events_of": "recordings.events",
    "scan": "recordings.scan",
    "Scan": "recordings.scan",
    "scan_files": "recordings.run",
    "ScanSettings": "recordings.run",
}

__all__ = ["__version__", *sorted(_HOME)]


if not TYPE_CHECKING:  # type checkers would take any name for one of its

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'hbac' has no attribute {name!r}")
        return getattr(import_module(f"hbac.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
