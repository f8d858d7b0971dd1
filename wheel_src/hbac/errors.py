"""The exceptions this package raises on purpose; every message names what was expected and what came."""

from typing import Any


class HbacError(Exception):
    """Base of all of them: the command line turns one into a single clear line and exit code 2."""


class InputError(HbacError):
    """A folder, a table or an argument that the run cannot start without is missing or wrong."""


class OutputError(HbacError):
    """What a run makes cannot be written: a full disk, a folder that is read-only or not there."""


class MachineError(HbacError):
    """A package, a library, a limit or a disk of this machine does not do what a run needs: no record's fault."""


class RecordError(HbacError):
    """One file of one record cannot be used; the run goes on and answers the record from what is left."""


class WeightsError(HbacError):
    """A manifest or a checkpoint is not exactly what it has to be; the run stops before it starts."""


class SubmissionError(HbacError):
    """A submission breaks one of Kaggle's rules."""


def one_line(error: Exception) -> str:
    """What another library's error says, on one line of at most 160 characters."""
    return " ".join(str(error).split())[:160]


def brief(value: Any, quote: bool = True) -> str:
    """A value as an error shows it: one line, not long; a printable text without quotes where those would disturb."""
    text = repr(value) if quote or not isinstance(value, str) or not value.isprintable() else value
    return text if len(text) <= 120 else f"{text[:117]}..."
