"""Names of the presets; apart, so that a command line can list them without what makes them."""

from typing import Final

THREE_ZOOMS: Final = "three-zooms-v1"
THREE_ZOOMS_2: Final = "three-zooms-v2"
STARTER: Final = "starter-v1"
SPECTROGRAMS8: Final = "spectrograms8-v1"
WAVEFORM8: Final = "waveform8-v1"
RAW: Final = "raw-v1"
PRESET_NAMES: Final = (THREE_ZOOMS_2, THREE_ZOOMS, STARTER, SPECTROGRAMS8, WAVEFORM8, RAW)  # as they are listed
