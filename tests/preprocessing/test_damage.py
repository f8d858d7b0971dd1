"""Nothing lost, nothing let in: the small form of tests/fuzz/, seeded."""

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from helpers_damage import EEG, MUTATIONS, SPECTROGRAM, by_hand
from helpers_hostile import BROKEN, MANIFESTS, STALE, broken_manifest, restate, spy_on, write_fold
from helpers_payloads import PAYLOADS, armed_pickle, run_payload
from hypothesis import given, settings
from hypothesis import strategies as st

from hbac.errors import WeightsError
from hbac.preprocessing.load import EEG_ONLY, INCOMPLETE, OK, SPECTROGRAM_ONLY, SUSPECT, load_record
from hbac.preprocessing.presets import PRESETS
from hbac.preprocessing.readers import Loader
from hbac.preprocessing.three_zooms import THREE_ZOOMS
from hbac.records.record import Record
from hbac.records.tables import read_test_table
from hbac.weights.manifest import MANIFEST_NAME, Manifest, read_manifest
from hbac.weights.tensors import read_safetensors

SETTINGS = PRESETS[THREE_ZOOMS]

# ---- inputs


def path_of(record: Record, kind: str) -> Path:
    path = record.eeg_path if kind == EEG else record.spectrogram_path
    assert path is not None
    return path


def place(record: Record, folder: Path, number: int) -> Record:
    """A copy of a record that may be damaged."""
    paths = {}
    for kind in (EEG, SPECTROGRAM):
        paths[kind] = folder / f"{number} {kind}.parquet"
        paths[kind].write_bytes(path_of(record, kind).read_bytes())
    return Record(number, number, None, paths[EEG], paths[SPECTROGRAM])


@pytest.mark.slow
def test_mutated_files_lose_no_record_and_none_with_checksums_passes_unnoticed(simulated: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    wholes = read_test_table(simulated)
    images = [load_record(whole, SETTINGS).image for whole in wholes]
    records = []
    kinds = [(change, kind) for change in MUTATIONS.values() for kind in (EEG, SPECTROGRAM)]
    for number in range(4 * len(kinds)):
        change, kind = kinds[number % len(kinds)]
        records.append(place(wholes[number % len(wholes)], tmp_path, number))
        path = path_of(records[-1], kind)
        path.write_bytes(change(path.read_bytes(), rng, path_of(wholes[0], kind).read_bytes()))
    with Loader(records, SETTINGS, 2) as loader:
        loaded = {one.record.eeg_id: one for one in loader}
    assert sorted(loaded) == list(range(len(records)))
    for number, one in loaded.items():
        whole = images[number % len(wholes)]
        assert one.image is not None
        assert whole is not None
        assert one.status != OK or np.abs(one.image - whole).max() < 1e-4  # processes differ in the last bits
    assert {one.status for one in loaded.values()} >= {OK, EEG_ONLY, SPECTROGRAM_ONLY}


KEPT = {  # for which nobody can tell, or the values are there after all
    (EEG, "no permission"),  # a user other than root is refused
    (SPECTROGRAM, "no permission"),
    (EEG, "swapped channels outside the chains"),
    (SPECTROGRAM, "time from elsewhere"),
}
READERS = {"kills its reader", "hangs its reader", "goes after the run began", "decodes to 1.2 GB", "decodes to 5 GB"}
HAND = [(kind, name) for kind in (EEG, SPECTROGRAM) for name in by_hand(kind) if name not in READERS]


@pytest.mark.parametrize(("kind", "name"), HAND, ids=lambda x: x)
def test_a_bad_file_is_noticed_and_its_record_answered(kind: str, name: str, simulated: Path, tmp_path: Path) -> None:
    record = place(read_test_table(simulated)[1], tmp_path, 1)
    by_hand(kind)[name](path_of(record, kind))
    loaded = load_record(record, SETTINGS)
    assert loaded.image is not None
    assert np.isfinite(loaded.image).all()
    other = SPECTROGRAM_ONLY if kind == EEG else EEG_ONLY
    assert loaded.status in (OK, other) if (kind, name) in KEPT else loaded.status in (INCOMPLETE, SUSPECT, other)
    assert loaded.status == OK or loaded.notes


# ---- checkpoints and manifests


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*STALE, *BROKEN])
def test_a_broken_checkpoint_is_refused_before_an_engine_sees_it(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    path = write_fold(tmp_path / "fold")
    {**STALE, **BROKEN}[kind](path, rng)
    if kind in BROKEN:
        restate(path.parent)
    with pytest.raises(WeightsError, match="expected") as caught:
        spy_on(path.parent / MANIFEST_NAME)
    assert caught.value.spy.seen == 0  # type: ignore[attr-defined]
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict:  # type: ignore[type-arg]
    folder = tmp_path_factory.mktemp("document") / "fold"
    write_fold(folder)
    return json.loads((folder / MANIFEST_NAME).read_text())  # type: ignore[no-any-return]


def read_text(folder: Path, text: bytes) -> Manifest | None:
    """A manifest, or None where it is refused; nothing else may happen."""
    path = folder / MANIFEST_NAME
    path.write_bytes(text)
    try:
        return read_manifest(path)
    except WeightsError as error:
        assert str(error).isprintable()
        return None


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_broken_manifest_is_refused(kind: str, document: dict, tmp_path: Path) -> None:  # type: ignore[type-arg]
    for seed in range(10):
        assert read_text(tmp_path, broken_manifest(kind, document, np.random.default_rng(seed))) is None


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([10**400, "\ud800", "\0"])
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_json_is_refused_as_a_manifest(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    assert read_text(tmp_path_factory.getbasetemp(), json.dumps(value).encode("utf-8", "surrogatepass")) is None


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_manifest_with_one_changed_place_is_refused_or_says_what_it_says(
    tmp_path_factory: pytest.TempPathFactory,
    document: dict,  # type: ignore[type-arg]
    data: st.DataObject,
) -> None:
    changed = json.loads(json.dumps(document))
    place = changed
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    manifest = read_text(tmp_path_factory.getbasetemp(), json.dumps(changed).encode("utf-8", "surrogatepass"))
    assert manifest is None or len(manifest.folds) == 1


@settings(max_examples=100, deadline=None)
@given(JSON | st.dictionaries(st.sampled_from(["a", "b"]), JSON), st.binary(max_size=64))
def test_any_header_is_tensors_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, header: object, values: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)
    with pytest.raises(WeightsError) as caught:
        read_safetensors(path, {"a": (3,), "b": (2, 2)})
    assert "\n" not in str(caught.value)


ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "F64", "BOOL", "x"]),
        "shape": st.lists(st.integers(-1, 5), max_size=3) | st.just([2**63, 2]),
        "data_offsets": st.lists(st.integers(-1, 40) | st.just(2**64), max_size=3),
    }
)


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({"a": ENTRY, "b": ENTRY}), st.binary(max_size=64))
def test_a_header_of_the_right_form_is_tensors_of_the_right_form_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory,
    header: dict,
    values: bytes,  # type: ignore[type-arg]
) -> None:
    path = tmp_path_factory.getbasetemp() / "form.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)
    try:
        tensors = read_safetensors(path, {"a": (3,), "b": (2, 2)})
    except WeightsError:
        return
    assert {name: tensor.shape for name, tensor in tensors.items()} == {"a": (3,), "b": (2, 2)}


# ---- payloads


def test_the_payloads_are_armed(tmp_path: Path) -> None:
    pickle.loads(armed_pickle(tmp_path / "canary"))
    assert (tmp_path / "canary").exists()


@pytest.mark.filterwarnings("ignore:pickle-based deserialization:RuntimeWarning", "ignore:pyarrow.PyExtensionType")
@pytest.mark.parametrize("name", PAYLOADS)
def test_no_payload_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_payload(name, tmp_path)
    assert not list(tmp_path.rglob("canary"))
