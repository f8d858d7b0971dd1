"""Fixtures that several test modules share: a simulated test folder, random folds, the real sample."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT.parent / "shared" / "data" / "hms_sample"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


LONGEST = (  # files by how long they take, as `pytest --durations 0` tells
    "kernel/test_kaggle.py",
    "preprocessing/test_readers.py",
    "ensemble/test_calibrated.py",
    "weights/test_keras_files.py",
    "inference/test_run.py",
    "machine/test_packages.py",
    "kernel/test_train.py",
    "preprocessing/test_damage.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, then those with many slow tests: two workers then end at about the same time."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    place = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (place.get(item.path, len(place)), -slow[item.path]))


def package_folder() -> str:
    """Where the tested package lies: this source tree, or where a wheel was installed."""
    spec = importlib.util.find_spec("hbac")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parents[1])


def python_path() -> str:
    """PYTHONPATH for processes: the tested package, and what is on this process's, as `shallow_network` puts there."""
    return os.pathsep.join(filter(None, [package_folder(), os.environ.get("PYTHONPATH", "")]))


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` has filled: once for all workers of pytest-xdist, whichever comes first."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done, deadline = folder.with_name(f"{name}.done"), time.monotonic() + 600
    try:
        folder.mkdir()
    except FileExistsError:
        while not done.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        if not done.exists():
            raise TimeoutError(f"{folder}: expected it to be filled by another worker") from None
        return folder
    make(folder)
    done.touch()
    return folder


@pytest.fixture(scope="session")
def sample() -> Path:
    """The folder of real records; the test is skipped where it is not there."""
    if not SAMPLE.is_dir():
        pytest.skip("the real records of ../shared/data/hms_sample are not on this machine")
    return SAMPLE


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated data set: three training patients and six test records. Not to be changed: copy it."""
    from hbac.simulation.dataset import simulate

    def make(folder: Path) -> None:
        simulate(folder / "data", patients=3, seed=34, test_records=6, progress=False, balanced=True)

    return made_once(tmp_path_factory, "simulated", make) / "data"


@pytest.fixture
def test_dir(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the simulated test folder that a test may damage."""
    out = tmp_path / "test_dir"
    out.mkdir()
    for name in ("test.csv", "sample_submission.csv"):
        shutil.copy(simulated / name, out)
    for name in ("test_eegs", "test_spectrograms"):
        shutil.copytree(simulated / name, out / name)
    return out


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of three random folds of width 8."""
    from helpers_folds import write_random_folds

    return made_once(tmp_path_factory, "folds", write_random_folds) / "weights_manifest.json"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory, manifest: Path) -> Path:
    """What build_wheel.sh makes of a copy of this tree, with the random folds of `manifest`, for some-owner."""
    from helpers_kaggle import build

    return (
        made_once(tmp_path_factory, "build", lambda folder: build(folder / "here", manifest.parent)) / "here" / "dist"
    )


@pytest.fixture(scope="session")
def one_block(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH that makes the networks of other processes those of `shallow_network`."""
    from helpers_folds import SITE

    folder = tmp_path_factory.mktemp("one_block")
    (folder / "sitecustomize.py").write_text(SITE)
    return folder


@pytest.fixture(scope="module")
def shallow_network(one_block: Path) -> Iterator[None]:
    """One block in place of sixteen, for tests of what surrounds the network: TensorFlow traces it in a tenth of the time.

    In this process and, where they take `python_path`, in those that it starts.
    """
    from helpers_folds import ONE_BLOCK

    from hbac.network import resnet

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "STAGES", ONE_BLOCK)
        patch.setenv("PYTHONPATH", str(one_block))
        yield


@pytest.fixture(scope="module")
def shallow_manifest(tmp_path_factory: pytest.TempPathFactory, shallow_network: None) -> Path:
    """A manifest of three random folds of width 8 and one block."""
    from helpers_folds import write_random_folds

    return made_once(tmp_path_factory, "shallow_folds", write_random_folds) / "weights_manifest.json"


@pytest.fixture(scope="session")
def hbac() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the `hbac` command in a process of its own, with the package that is tested here."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hbac", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": python_path()}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload, no-any-return]

    return run


@pytest.fixture(scope="module")
def eagerly() -> Iterator[None]:
    """TensorFlow without graphs: to trace and compile one training step takes the time of twenty steps without."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
