"""The command `hbac simulate`: its options, and what it writes."""

import argparse
from pathlib import Path


def add_simulate_options(parser: argparse.ArgumentParser) -> None:
    """The options of `hbac simulate`."""
    add = parser.add_argument
    add("out", type=Path, nargs="?", metavar="OUT", help="folder of a data set")
    add("--patients", type=int, metavar="N", help="training patients of a data set")
    recording = "in place of a data set, one recording of this length with episodes at known times"
    add("--recording", metavar="6h", help=recording)
    add("--output", type=Path, metavar="FILE", help="EDF file of that recording [recording.edf]")
    add("--test-records", type=int, metavar="N", help="test records [a fifth of the patients, at least 1]")
    add("--seed", type=int, default=0, metavar="S", help="the same bytes for the same seed [%(default)s]")
    add("--single", action="store_true", help="one EEG a patient: the most variety for the time")
    add("--balanced", action="store_true", help="all classes alike, not as in the real table")
    add("--eeg-alone", action="store_true", help="no spectrogram files, in a fraction of the time")
    add("--workers", type=int, metavar="N", help="processes [all cores]")
    add("--quiet", action="store_true", help="no progress bar")


def run_simulate(options: argparse.Namespace) -> None:
    """Write what the options say.

    Raises:
        HbacError: what the user has to mend.
    """
    from hbac.errors import InputError
    from hbac.simulation.dataset import simulate

    if options.recording is not None:
        _simulate_recording(options)
        return
    if options.out is None or options.patients is None or options.output is not None:
        raise InputError("simulate: expected OUT and --patients, or --recording and perhaps --output, received others")
    simulate(
        options.out,
        options.patients,
        options.seed,
        test_records=options.test_records,
        workers=options.workers,
        progress=not options.quiet,
        balanced=options.balanced,
        single=options.single,
        eeg_alone=options.eeg_alone,
    )
    print(f"{options.out}: a simulated data set in the competition's format")


def _simulate_recording(options: argparse.Namespace) -> None:
    from hbac.durations import parse_duration
    from hbac.errors import InputError
    from hbac.simulation.long_recording import simulate_recording

    of_data_set = ("out", "patients", "test_records", "single", "balanced", "eeg_alone", "workers")
    given = [name for name in of_data_set if all(getattr(options, name) is not unset for unset in (None, False))]
    if given:
        raise InputError(f"simulate --recording: expected no option of a data set, received {', '.join(given)}")
    output = options.output or Path("recording.edf")
    truth = simulate_recording(output, parse_duration(options.recording, "recording"), options.seed, not options.quiet)
    print(f"{output}: a simulated recording; its episodes in {truth}")
