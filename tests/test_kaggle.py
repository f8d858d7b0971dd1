"""What is attached to a Kaggle notebook: found by marker files, in each folder that Kaggle may mount."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hbac import kaggle
from hbac.errors import InputError


def competition(folder: Path, split: str = "test") -> Path:
    (folder / f"{split}_eegs").mkdir(parents=True)
    (folder / f"{split}.csv").touch()
    return folder


def weights(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights_manifest.json").touch()
    return folder / "weights_manifest.json"


def test_each_thing_is_found_by_its_marker(tmp_path: Path) -> None:
    data = competition(tmp_path / "hms")
    competition(tmp_path / "hms", "train")
    manifest = weights(tmp_path / "w")
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "run.json").touch()
    attached = sorted(tmp_path.iterdir())
    assert kaggle.find_test_data(attached) == kaggle.find_train_data(attached) == data
    assert kaggle.find_manifest(attached) == manifest
    assert kaggle.find_earlier_sessions(attached) == (tmp_path / "earlier",)


def test_a_table_without_its_folder_is_not_the_competition(tmp_path: Path) -> None:
    (tmp_path / "test.csv").touch()
    with pytest.raises(InputError, match=rf"test.csv and test_eegs/\) once, received none in {tmp_path}$"):
        kaggle.find_test_data([tmp_path])
    with pytest.raises(InputError, match=r"train.csv and train_eegs/\) once, received none"):
        kaggle.find_train_data([tmp_path])


def test_two_that_match_are_an_error_that_lists_both(tmp_path: Path) -> None:
    first, second = (weights(tmp_path / name) for name in ("a", "b"))
    with pytest.raises(InputError) as caught:
        kaggle.find_manifest([tmp_path / "a", tmp_path / "b"])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_nothing_deeper_than_a_folder_s_top_is_searched(tmp_path: Path) -> None:
    weights(tmp_path / "some" / "where")
    with pytest.raises(InputError, match=r"weights_manifest.json once, received none"):
        kaggle.find_manifest([tmp_path])


def test_imagenets_file_is_found_by_its_name_and_known_by_its_digest(tmp_path: Path) -> None:
    attached = [tmp_path / name for name in ("a", "b", "c")]
    for folder in attached:
        folder.mkdir()
    (attached[0] / "other_notop.h5").write_bytes(b"weights")
    md5 = "63f4f1e9b725370f459720575cd5f953"  # printf weights | md5sum
    assert kaggle.find_imagenet(attached, "notop.h5", md5) is None
    (attached[1] / "notop.h5").write_bytes(b"weights")
    assert kaggle.find_imagenet(attached, "notop.h5", md5) == attached[1] / "notop.h5"
    with pytest.raises(InputError, match=f"expected the file of MD5 0{md5[1:]}.*received one of {md5}"):
        kaggle.find_imagenet(attached, "notop.h5", f"0{md5[1:]}")
    (attached[2] / "notop.h5").write_bytes(b"weights")
    with pytest.raises(InputError, match=f"expected notop.h5 once, received {attached[1]}.*, {attached[2]}"):
        kaggle.find_imagenet(attached, "notop.h5", md5)


def test_what_was_typed_comes_after_what_is_attached(tmp_path: Path) -> None:
    data, manifest = competition(tmp_path / "hms"), weights(tmp_path / "w")
    attached = [tmp_path / "hms", tmp_path / "w"]
    received = kaggle.predict_arguments(["--flip-tta"], attached, tmp_path)
    assert received == ["--time-budget", "8h30m", "--test-dir", str(data), "--manifest", str(manifest), "--flip-tta"]
    typed = ["--test-dir=x", "--manifest", "y", "--time-budget", "1h"]
    assert kaggle.predict_arguments(typed, [], tmp_path) == typed
    assert kaggle.predict_arguments(typed, attached, tmp_path) == typed


def test_away_from_kaggle_the_checkout_s_manifest_is_taken_and_no_budget(tmp_path: Path) -> None:
    assert kaggle.predict_arguments([], [], tmp_path) == ["--manifest", str(tmp_path / "weights_manifest.json")]


def test_of_wheels_for_several_pythons_this_one_s_is_taken() -> None:
    mine = f"cp{sys.version_info.major}{sys.version_info.minor}"
    names = [f"openvino-2026.4.1-1-{tag}-{tag}-manylinux_2_28_x86_64.whl" for tag in ("cp309", mine, "cp399")]
    assert [kaggle.fits(Path(name)) for name in names] == [False, True, False]
    for name in ("hbac-0.1.0-py3-none-any.whl", "safetensors-0.5.3-cp38-abi3-manylinux_2_17_x86_64.whl", "hbac-wheel"):
        assert kaggle.fits(Path(name))


def wheel_of(folder: Path, package: str, name: str | None = None) -> Path:
    """A wheel that holds a package with one value; valid for pip if it has a wheel's name."""
    path = folder / (name or f"{package}-1.0-py3-none-any.whl")
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{package}/__init__.py", "value = 5\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.parametrize("form", ["renamed", "unpacked"])
def test_a_wheel_that_pip_does_not_take_is_imported_as_it_is(form: str, tmp_path: Path) -> None:
    """In a process of its own, as it changes what can be imported."""
    wheel = wheel_of(tmp_path, "hbac_sibling", "hbac_sibling10.zip")
    if form == "unpacked":
        zipfile.ZipFile(wheel).extractall(tmp_path / "hbac_sibling-1.0")
        wheel.unlink()
    folder = Path(kaggle.__file__).parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); from pathlib import Path; from hbac import kaggle; "
        f"kaggle.make_importable('hbac_sibling', [Path({str(tmp_path)!r})]); import hbac_sibling; print(hbac_sibling.value)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "5\n", done.stderr


def test_an_installed_package_needs_no_wheel_and_a_missing_one_no_error(tmp_path: Path) -> None:
    before = list(sys.path)
    wheel_of(tmp_path, "numpy")
    kaggle.make_importable("numpy", [tmp_path])
    kaggle.make_importable("hbac_no_such_package", [tmp_path])
    assert sys.path == before


def test_an_unpacked_wheel_comes_before_an_archive(tmp_path: Path) -> None:
    archive = wheel_of(tmp_path, "hbac_sibling")
    assert kaggle.wheels_in(tmp_path, "hbac_sibling") == [archive]
    zipfile.ZipFile(archive).extractall(tmp_path / "hbac_sibling-1.0")
    zipfile.ZipFile(tmp_path / "hbac_sibling_weights.zip", "w").writestr("fold0.safetensors", "")  # not a wheel
    assert kaggle.wheels_in(tmp_path, "hbac_sibling") == [tmp_path / "hbac_sibling-1.0"]
