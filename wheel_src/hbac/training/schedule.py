"""The plan of a training run: its settings, its stages, and whether there is time for another epoch."""

from dataclasses import dataclass

from hbac.clocks import Clock, wall_s
from hbac.network.settings import NetworkSettings

WINDOWS_PER_GROUP = 2  # windows of one EEG with the same votes are near copies of each other
SCORED_VOTES = 10  # rows with so many make up stage 2, choose the epoch and the temperature, and are the headline


@dataclass(frozen=True)
class ViewSettings:
    """How `random_views` changes images: how often, and how much at the most. A chance of 0 switches one off."""

    flip: float = 0.5  # chances
    mask_frequencies: float = 0.5
    mask_times: float = 0.5
    shift_time: float = 0.5
    drop_file: float = 0.4  # half of them the EEG, half the spectrogram
    shorten: float = 0.4  # to a clip
    change_gain: float = 0.5
    widest_band_hz: float = 3.0
    longest_stretch: int = 30  # columns
    longest_shift_s: float = 1.0
    shortest_s: float = 10.0  # of a clip
    gain_log_spread: float = 0.4  # natural logarithm


@dataclass(frozen=True)
class Stage:
    """A stretch of epochs with one learning-rate schedule: warm-up, then cosine decay to 0."""

    epochs: int
    learning_rate: float
    fewest_votes: int  # rows with fewer are left out, unless that leaves none
    row_step: int = 1  # 2: every second row of the images, in less time


@dataclass(frozen=True)
class TrainSettings:
    """What defines a training run."""

    network: NetworkSettings
    stages: tuple[Stage, ...]
    views: ViewSettings = ViewSettings()
    batch_size: int = 16
    mixup_alpha: float = 0.3  # 0 for none
    warm_up_share: float = 0.1  # of a stage's steps
    precision: str = "float32"  # or "mixed_float16", for GPUs
    freeze_normalisation: bool = (
        False  # as in inference from the first step: the start's own statistics, gamma and beta
    )
    seed: int = 0


class EpochBudget:
    """Whether there is time for another epoch, as far as those before it tell; the first is always begun.

    Args:
        limit_s: seconds from now; None for no limit.
        clock: seconds from any origin; goes on during a pause of this process.
    """

    def __init__(self, limit_s: float | None, clock: Clock = wall_s):
        self._clock = clock
        self._end = None if limit_s is None else clock() + limit_s
        self._longest_s = 0.0  # of an epoch, for each image of full height

    def left_s(self) -> float:
        """Seconds left, at least one; infinite without a limit."""
        return float("inf") if self._end is None else max(1.0, self._end - self._clock())

    def has_another(self, images: float) -> bool:
        """True if an epoch of so many images of full height would end in time, a fifth of its length to spare."""
        return self._end is None or self._clock() + 1.2 * self._longest_s * images < self._end

    def took(self, seconds: float, images: float) -> None:
        """Remember how long an epoch took, without the pauses of this process."""
        self._longest_s = max(self._longest_s, seconds / images)
