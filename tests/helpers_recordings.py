"""What the tests of recordings share: an EEG that is known at any rate, and files that edfio writes and bytes change."""

import warnings
from collections.abc import Callable, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

import edfio
import numpy as np

from hbac import hms

SECONDS = 20
ROOM = [edfio.EdfAnnotation(0, None, "room for longer onsets")]  # for `shift_onsets`
LIMIT_UV = 3276.7  # 0.1 uV a step
TO_UV = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}


def known_eeg(rate_hz: float, seconds: float = SECONDS, seed: int = 3) -> np.ndarray:
    """(samples, 19) float64 microvolts: sums of sines from 0.5 to 38 Hz, so that truth is known at any rate."""
    rng = np.random.default_rng(seed)
    hz = rng.uniform(0.5, 38, (24, 1, len(hms.ELECTRODES)))
    phase, offset = rng.uniform(0, 2 * np.pi, hz.shape), rng.uniform(-20, 20, len(hms.ELECTRODES))
    at_s = np.arange(round(seconds * rate_hz))[:, None] / rate_hz
    return offset + sum(30 / np.sqrt(f) * np.sin(2 * np.pi * f * at_s + p) for f, p in zip(hz, phase))


def pairs_of(uv: np.ndarray) -> np.ndarray:
    """(samples, 16) differences along the chains."""
    at = hms.ELECTRODES.index
    return np.stack([uv[:, at(a)] - uv[:, at(b)] for a, b in hms.PAIRS], axis=1)


PAIR_LABELS = tuple("-".join(pair) for pair in hms.PAIRS)


def edf_signal(values_uv: np.ndarray, rate_hz: float, label: str, unit: str = "uV", form: str = "EDF") -> Any:
    """A signal of edfio, in its unit."""
    kind = {"EDF": edfio.EdfSignal, "BDF": edfio.BdfSignal}[form]
    limit = LIMIT_UV / TO_UV[unit]
    values = np.clip(values_uv / TO_UV[unit], -limit, limit)
    return kind(values, rate_hz, label=label, physical_dimension=unit, physical_range=(-limit, limit))


def write_edf(
    path: Path,
    uv: np.ndarray | None = None,
    rate_hz: float = hms.EEG_RATE_HZ,
    labels: Sequence[str] = hms.ELECTRODES,
    unit: str = "uV",
    form: str = "EDF",
    more: Sequence[Any] = (),
    **options: Any,
) -> Path:
    """A file that edfio writes, `known_eeg` where nothing else is told; `more` are signals behind those."""
    uv = known_eeg(rate_hz) if uv is None else uv
    signals = [edf_signal(column, rate_hz, label, unit, form) for column, label in zip(uv.T, labels)]
    options.setdefault("recording", edfio.Recording(startdate=date(2024, 2, 29)))
    options.setdefault("starttime", time(23, 59, 30))
    file = {"EDF": edfio.Edf, "BDF": edfio.Bdf}[form]([*signals, *more], **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers with more digits than eight characters hold
        file.write(path)
    return path


def field_at(head: bytes, name: str, j: int = 0) -> slice:
    """Where a field of a header stands, for signal `j`; by the specification, in its own words here."""
    of_file = {"version": (0, 8), "recording": (88, 80), "date": (168, 8), "time": (176, 8), "bytes": (184, 8)}
    of_file |= {"reserved": (192, 44), "records": (236, 8), "duration": (244, 8), "signals": (252, 4)}
    if name in of_file:
        first, length = of_file[name]
        return slice(first, first + length)
    of_signal = {"label": (0, 16), "transducer": (16, 80), "unit": (96, 8), "pmin": (104, 8), "pmax": (112, 8)}
    of_signal |= {"dmin": (120, 8), "dmax": (128, 8), "prefilter": (136, 80), "samples": (216, 8), "rest": (224, 32)}
    count = int(head[252:256])
    before, length = of_signal[name]
    first = 256 + count * before + j * length
    return slice(first, first + length)


def edit(path: Path, name: str, content: str | bytes, j: int | None = 0) -> Path:
    """Another text in a field of a header; in all signals where `j` is None."""
    held = bytearray(path.read_bytes())
    for k in range(int(held[252:256])) if j is None else (j,):
        at = field_at(bytes(held), name, k)
        raw = content.encode() if isinstance(content, str) else content
        held[at] = raw.ljust(at.stop - at.start)
    path.write_bytes(held)
    return path


def shift_onsets(path: Path, shift: Callable[[int], float], reserved: str = "EDF+D", digits: int = 6) -> Path:
    """Other onsets of data records: `shift` gives by how many seconds; the last signal holds them."""
    held = bytearray(path.read_bytes())
    count, records = int(held[252:256]), int(held[236:244])
    samples = [int(held[field_at(bytes(held), "samples", j)]) for j in range(count)]
    size = 3 if held[0] == 0xFF else 2
    for k in range(records):
        at = 256 * (1 + count) + size * (k * sum(samples) + sum(samples[:-1]))
        end = held.index(b"\x14", at)
        onset = f"{float(held[at:end]) + shift(k):+.{digits}g}".encode()
        old, room = held[end : at + size * samples[-1]].rstrip(b"\0"), size * samples[-1]
        assert len(onset) + len(old) <= room
        held[at : at + room] = (onset + bytes(old)).ljust(room, b"\0")
    path.write_bytes(held)
    return edit(path, "reserved", reserved)


def write_brainvision(path: Path, uv: np.ndarray, rate_hz: float, markers: Sequence[tuple[str, int]] = ()) -> Path:
    """A .vhdr with its .vmrk and .eeg, as the format's documentation has them; markers are types, with a
    text behind a comma if they have one, and samples from 1."""
    uv.astype("<f4").tofile(path.with_suffix(".eeg"))
    lines = ["Mk1=New Segment,,1,1,0,20240229235930000000"]
    lines += [f"Mk{j}={kind}{'' if ',' in kind else ','},{at},1,0" for j, (kind, at) in enumerate(markers, 2)]
    path.with_suffix(".vmrk").write_text(
        "\n".join(
            [
                "Brain Vision Data Exchange Marker File, Version 1.0",
                "[Common Infos]",
                "Codepage=UTF-8",
                f"DataFile={path.stem}.eeg",
                "[Marker Infos]",
                *lines,
                "",
            ]
        )
    )
    channels = [f"Ch{j}={name},,1,µV" for j, name in enumerate(hms.ELECTRODES, 1)]
    path.write_text(
        "\n".join(
            [
                "Brain Vision Data Exchange Header File Version 1.0",
                "[Common Infos]",
                "Codepage=UTF-8",
                f"DataFile={path.stem}.eeg",
                f"MarkerFile={path.stem}.vmrk",
                "DataFormat=BINARY",
                "DataOrientation=MULTIPLEXED",
                f"NumberOfChannels={len(channels)}",
                f"SamplingInterval={1e6 / rate_hz:g}",
                "[Binary Infos]",
                "BinaryFormat=IEEE_FLOAT_32",
                "[Channel Infos]",
                *channels,
                "",
            ]
        )
    )
    return path


def write_eeglab(path: Path, uv: np.ndarray, rate_hz: float, boundaries: Sequence[tuple[float, float]] = ()) -> Path:
    """A .set of MATLAB 5 with the data inside; boundaries are latencies (in samples from 1) and durations cut out."""
    from scipy.io import savemat

    events = [{"type": "boundary", "latency": at, "duration": length} for at, length in boundaries]
    eeg = {
        "setname": path.stem,
        "nbchan": float(uv.shape[1]),
        "trials": 1.0,
        "pnts": float(len(uv)),
        "srate": float(rate_hz),
        "xmin": 0.0,
        "xmax": (len(uv) - 1) / rate_hz,
        "data": uv.T.astype(np.float32),
        "chanlocs": np.array([(name,) for name in hms.ELECTRODES], dtype=[("labels", object)]),
        "event": np.array(
            [(e["type"], e["latency"], e["duration"]) for e in events],
            dtype=[("type", object), ("latency", float), ("duration", float)],
        ),
        "epoch": np.array([]),
        "icawinv": np.array([]),
        "icaweights": np.array([]),
        "icasphere": np.array([]),
        "icaact": np.array([]),
    }
    savemat(path, {"EEG": eeg}, appendmat=False)
    return path


def answer_of(image: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Probabilities by the loudness of channel 2."""
    share = 1 / (1 + float(np.abs(image[..., 2]).mean()))
    return np.array([1 - share, *[share / 5] * 5])
