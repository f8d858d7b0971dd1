"""Makes images when asked, in one thread on one core: python preprocess.py hbac|straightforward TEST_DIR IMAGE.npy

Prints a line of JSON when it is ready. A line on stdin is a record's number; its image goes to IMAGE.npy, and a line to
stdout: the seconds of processor time of the whole, and for `hbac` then of each part that makes the image, measured alone
and without looking for damage.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd


def ours(eeg: Path, spectrogram: Path) -> tuple[np.ndarray, list[float]]:
    from hbac.preprocessing.load import OK, load_record
    from hbac.preprocessing.presets import PRESETS, make_image
    from hbac.preprocessing.three_zooms import THREE_ZOOMS
    from hbac.records import parquet as records
    from hbac.records.parquet import read_eeg, read_spectrogram
    from hbac.records.record import Record, crop_eeg, crop_spectrogram

    loaded, whole_s = timed(lambda: load_record(Record(0, 0, 0, eeg, spectrogram), PRESETS[THREE_ZOOMS]))
    if loaded.status != OK:
        raise RuntimeError(f"{eeg}: {loaded.notes}")
    with mock.patch.object(records, "misfits", lambda *_: []):
        uv, eeg_s = timed(lambda: crop_eeg(read_eeg(eeg), None).uv)
        power, spectrogram_s = timed(lambda: crop_spectrogram(read_spectrogram(spectrogram), None).power)
    _, image_s = timed(lambda: make_image(uv, power, PRESETS[THREE_ZOOMS]))
    return loaded.image, [whole_s, eeg_s, spectrogram_s, image_s]


def straightforward(eeg: Path, spectrogram: Path) -> tuple[np.ndarray, list[float]]:
    from straightforward import load

    image, seconds = timed(lambda: load(eeg, spectrogram))
    return image, [seconds]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What comes of it, and the processor time of all threads: on a busy machine the clock on the wall says less."""
    started = time.process_time()
    return work(), time.process_time() - started


def main(way: str, test_dir: Path, out: Path) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    table = pd.read_csv(test_dir / "test.csv")
    make = {"hbac": ours, "straightforward": straightforward}[way]

    def one(number: int) -> tuple[np.ndarray, list[float]]:
        row = table.iloc[number]
        eeg = test_dir / "test_eegs" / f"{row['eeg_id']}.parquet"
        return make(eeg, test_dir / "test_spectrograms" / f"{row['spectrogram_id']}.parquet")

    one(0)  # imports, and what is computed once
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        image, seconds = one(json.loads(line))
        np.save(out, image)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
