"""Presets: frozen digests, fields that come later, shapes of their own."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from hbac.errors import InputError
from hbac.preprocessing.preset import LATER, Array, Preset
from hbac.preprocessing.presets import PRESETS, make_image, preset_named
from hbac.preprocessing.three_zooms import ImageSettings

DIGESTS = {  # as the manifests of 0.1 state them
    "three-zooms-v1": "b2443df142480cdb7f3ec05b15fb108e3d9927ba3e4cefcbbc4b83a6e0691633",
    "three-zooms-v2": "fcc4fcfbbce7d29bae29c22053c3819783c339c90fba36a77f4cec5ce833f778",
    "spectrograms8-v1": "da679438f0836357b414faab20a8ccccbad3838a70637d552cb859b52242a924",  # and of 0.2
    "waveform8-v1": "e1524109a64ea16362255a0c29ec738bcd1a96cebbe2349475c8753e5b0f6d76",
    "raw-v1": "ef6a8ba4fce532d6659ccb953e5bb3d1ce48334c5bce7e200e0d5c5ad360c0a6",
    "starter-v1": "7392d1d99ca0ac8d398b62a3347e1ced91e2ecbc78129398095729b565113cbf",
}


@dataclass(frozen=True)
class Grown(ImageSettings):
    """Three zooms with a field that its first manifests lacked."""

    mirror_s: float = field(default=0.0, metadata=LATER)


@dataclass(frozen=True)
class Unmarked(ImageSettings):
    mirror_s: float = 0.0


@dataclass(frozen=True)
class Small(Preset):
    """Another input: two values."""

    shape: ClassVar = (2,)
    preset: str = "small"

    def make(self, eeg_uv: Array | None, power: Array | None) -> Array:
        return np.array([eeg_uv is None, power is None], np.float32)

    def flip(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return inputs

    def to_uint8(self, inputs: Array) -> npt.NDArray[np.uint8]:
        return inputs.astype(np.uint8)

    def from_uint8(self, cached: npt.NDArray[np.uint8]) -> Array:
        return cached.astype(np.float32)


@pytest.mark.parametrize("name", PRESETS)
def test_the_digests_of_existing_presets_are_frozen(name: str) -> None:
    assert PRESETS[name].digest() == DIGESTS[name]
    assert preset_named(name) is PRESETS[name]


def test_the_digest_is_that_of_the_values_as_canonical_json() -> None:
    settings = ImageSettings(wave_s=8.0)
    expected = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode()).hexdigest()
    assert settings.digest() == expected != ImageSettings().digest()


def test_a_later_field_leaves_digest_and_document_alone_while_it_holds_its_default() -> None:
    assert Grown().document() == ImageSettings().document()
    assert Grown().digest() == ImageSettings().digest()
    assert Grown(mirror_s=10.0).document() == {**ImageSettings().document(), "mirror_s": 10.0}
    assert Grown(mirror_s=10.0).digest() != ImageSettings().digest()
    assert Unmarked().digest() != ImageSettings().digest()


def test_a_preset_of_another_shape_takes_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="received 'small'"):
        make_image(None, None, Small())
    monkeypatch.setitem(PRESETS, "small", Small())
    received = make_image(None, np.zeros((300, 400), np.float32), Small())
    assert received.tolist() == [1.0, 0.0]
