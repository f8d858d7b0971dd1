"""One record's files to its image: from both, or from one of them if the other cannot be used, and what was wrong.

A mixed ensemble has several presets: the files are read once, and each preset's image is made once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hbac import hms
from hbac.errors import RecordError
from hbac.files import content_digest
from hbac.machine.faults import is_of_device
from hbac.preprocessing.damage import disagreement, implausible_eeg, implausible_power
from hbac.preprocessing.multitaper import rebuild_window
from hbac.preprocessing.preset import BOTH as BOTH
from hbac.preprocessing.preset import EEG as EEG
from hbac.preprocessing.preset import SPECTROGRAM as SPECTROGRAM
from hbac.preprocessing.preset import Array, Preset
from hbac.preprocessing.presets import make_image
from hbac.records.parquet import read_content, read_eeg, read_spectrogram
from hbac.records.record import EegFile, Record, SpectrogramFile, crop_eeg, crop_spectrogram, eeg_start, mirrored


class Status(str, Enum):
    """What an answer rests on."""

    OK = "ok"  # both files, whole
    INCOMPLETE = "incomplete"  # both files, one short or with columns or values that are not there
    SUSPECT = "suspect"  # both files, with values that no recording shows or that contradict each other
    EEG_ONLY = "eeg only"
    SPECTROGRAM_ONLY = "spectrogram only"
    UNREADABLE = "unreadable"  # neither file: the class prior
    OUT_OF_TIME = "out of time"  # the time budget ended before the record: the class prior

    def __str__(self) -> str:
        return self.value


OK, INCOMPLETE, SUSPECT, EEG_ONLY, SPECTROGRAM_ONLY, UNREADABLE, OUT_OF_TIME = Status

Sources = tuple[str, str]  # `content_digest` of the EEG's file and of the spectrogram's; "" of one that was not read
NO_SOURCES: Sources = ("", "")


@dataclass(frozen=True)
class Loaded:
    """One record's images, none if nothing that a preset reads could be read; what was read, and what was wrong."""

    record: Record
    images: Mapping[str, Array]  # by the preset's name, of its shape; without those of which no file could be read
    status: Status
    notes: tuple[str, ...] = ()
    sources: Sources = NO_SOURCES  # digests of the bytes that were read, also where they could not be used
    of_machine: bool = False  # no image, perhaps not by the files' fault: a dead reader, a disk that does not answer

    @property
    def image(self) -> Array | None:
        """The image where one preset was asked for.

        Raises:
            ValueError: there are several.
        """
        if len(self.images) > 1:
            raise ValueError(f"image: expected one preset, received {', '.join(self.images)}; `images` has them all")
        return next(iter(self.images.values()), None)


def load_record(record: Record, settings: Preset | Sequence[Preset], files: Sequence[str] = BOTH) -> Loaded:
    """Read the files of one record and make its images, from one of them if the other cannot be used.

    Without a spectrogram file, channel 0 holds what the EEG gives: 24 of its 300 columns for 50 s. Without any file that
    a preset reads there is no image of it. Never raises for what is wrong with a file: that is in the notes.

    Args:
        record: its files and windows.
        settings: one preset or several.
        files: those that may be read.

    Raises:
        MemoryError: a file wants more than there is.
        MachineError: something has run out that every file needs.
    """
    presets = (settings,) if isinstance(settings, Preset) else settings
    notes: list[str] = []
    causes: list[BaseException | None] = []
    doubts: list[str] = []
    eeg, power = None, None
    sources = dict.fromkeys(BOTH, "")
    if EEG in files:
        try:
            content = read_content(record.eeg_path)
            sources[EEG] = content_digest(content)
            recording = read_eeg(record.eeg_path, record.eeg_sha256, content)
            window = crop_eeg(recording, record.eeg_offset_s)
            eeg = window.uv
            notes += window.notes
            doubts += [*window.doubts, *implausible_eeg(eeg)]
        except RecordError as error:
            notes.append(f"{EEG}: {error}")
            causes.append(error.__cause__)
    if SPECTROGRAM in files:
        try:
            content = read_content(_spectrogram_path(record))
            sources[SPECTROGRAM] = content_digest(content)
            spectrogram = _read_power(record, content)
            power = spectrogram.power
            notes += spectrogram.notes
            doubts += [*spectrogram.doubts, *implausible_power(power)]
        except RecordError as error:
            notes.append(f"{SPECTROGRAM}: {error}")
            causes.append(error.__cause__)
    read = (sources[EEG], sources[SPECTROGRAM])
    there = {name for name, what in ((EEG, eeg), (SPECTROGRAM, power)) if what is not None}
    readable = [preset for preset in presets if there & preset.reads]
    if not readable:
        return Loaded(record, {}, UNREADABLE, tuple(notes), read, any(map(is_of_device, causes)))
    status = SPECTROGRAM_ONLY if eeg is None else EEG_ONLY if power is None else INCOMPLETE if notes else OK
    if status == OK and eeg is not None and power is not None:
        odd_start = bool((record.spectrogram_offset_s or 0) % hms.SPECTROGRAM_STEP_S)
        doubts += disagreement(eeg, power, odd_start)  # of an incomplete file nobody knows where its samples belong
        status = SUSPECT if doubts else OK
    notes += doubts
    images = {
        preset.preset: make_image(None, power, preset)
        if eeg is None
        else image_of_eeg(recording, record.eeg_offset_s, preset, power)
        for preset in readable
    }
    return Loaded(record, images, status, tuple(notes), read)


def image_of_eeg(recording: EegFile, offset_s: float | None, settings: Preset, power: Array | None = None) -> Array:
    """The image of a 50 s window of a recording; without a spectrogram the recording gives what it can of it.

    Args:
        recording: the whole file.
        offset_s: at which the window starts; None for the middle.
        settings: the preset; one with `mirrors_short_eeg` continues a window that the recording does not fill.
        power: (300, 400) linear power of the ten minutes, NaN where missing; None without a spectrogram.

    Raises:
        RecordError: the window lies outside the recording.
    """
    uv, start = recording.uv, eeg_start(len(recording.uv), offset_s)
    if settings.mirrors_short_eeg and not 0 <= start <= len(uv) - hms.EEG_WINDOW:
        uv, start = mirrored(uv, start), 0
    window = crop_eeg(EegFile(uv), start / hms.EEG_RATE_HZ).uv
    if power is None and SPECTROGRAM in settings.reads:
        power = rebuild_window(uv, start)
    return make_image(window, power, settings)


def sources_now(record: Record) -> Sources:
    """Digests of a record's files as they are now, "" of one that cannot be read: to tell what was made of others."""
    return digest_now(record.eeg_path), digest_now(record.spectrogram_path)


def digest_now(path: Path | None) -> str:
    """`content_digest` of a file as it is now, "" if it cannot be read or there is none."""
    try:
        return content_digest(read_content(path)) if path else ""
    except RecordError:
        return ""


def _spectrogram_path(record: Record) -> Path:
    if record.spectrogram_path is None:
        raise RecordError("expected a spectrogram_id in the table, found none")
    return record.spectrogram_path


def _read_power(record: Record, content: bytes) -> SpectrogramFile:
    file = read_spectrogram(_spectrogram_path(record), record.spectrogram_sha256, content)
    return crop_spectrogram(file, record.spectrogram_offset_s)
