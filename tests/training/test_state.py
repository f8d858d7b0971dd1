"""What a training run keeps on disk: whose folder it is, and folds taken over from other folders."""

from pathlib import Path

import numpy as np
import pytest

from hbac.errors import InputError
from hbac.files import sha256_of
from hbac.kaggle import RUN_NAME
from hbac.training.state import (
    FoldFiles,
    Progress,
    check_rows,
    claim_folder,
    digest_of_rows,
    new,
    read_progress,
    read_state,
    settle,
    take_folds,
    write_state,
)
from hbac.version import __version__

SOURCES = np.array([[f"eeg {row}", f"spectrogram {row}"] for row in range(6)], "S32")
RUN = {"settings": ("width", 8), "fold_count": 5}


def session(folder: Path, *stems: str, run: dict = RUN) -> Path:
    """A folder as a session leaves it that trained the folds of these names."""
    folder.mkdir()
    claim_folder(folder, run, resume=False)
    for stem in stems:
        files = FoldFiles.named(folder, stem)
        files.checkpoint.write_text(f"checkpoint {stem}")
        files.predictions.write_text(f"answers {stem}")
        write_state(files.state, Progress(epochs_done=3), {})
    return folder


def test_a_folder_is_claimed_by_one_run(tmp_path: Path) -> None:
    claim_folder(tmp_path, RUN, resume=False)
    claim_folder(tmp_path, RUN, resume=False)  # nothing trained yet
    (tmp_path / "fold0.state").touch()
    claim_folder(tmp_path, RUN, resume=True)
    with pytest.raises(InputError, match="--resume"):
        claim_folder(tmp_path, RUN, resume=False)
    with pytest.raises(InputError, match="another fold_count"):
        claim_folder(tmp_path, {**RUN, "fold_count": 4}, resume=True)


def test_folds_in_a_folder_that_does_not_say_whose_they_are_are_not_taken_up(tmp_path: Path) -> None:
    session(tmp_path / "here", "fold0")
    (tmp_path / "here" / RUN_NAME).unlink()
    for resume, message in ((False, "--resume"), (True, "received no readable run.json")):
        with pytest.raises(InputError, match=message):
            claim_folder(tmp_path / "here", RUN, resume)


def test_a_run_of_another_hbac_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session(tmp_path / "here", "fold0")
    monkeypatch.setattr("hbac.training.state.__version__", "0.9.1")
    with pytest.raises(
        InputError, match=rf"expected a run of format 3 of hbac 0\.9\.1, received one of hbac {__version__}"
    ):
        claim_folder(tmp_path / "here", RUN, resume=True)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    progress = Progress("digest", 2, 0.5, [{"epoch": 0, "stage": 0, "learning_rate": 1e-3, "loss": 1.5, "kl": 0.5}])
    tensors = {"model/a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "optimizer/0000": np.int64(7)}
    write_state(tmp_path / "fold0.state", progress, tensors)
    assert read_progress(tmp_path / "fold0.state") == progress
    received, read = read_state(tmp_path / "fold0.state")
    assert received == progress
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)


def test_a_fold_without_an_epoch_has_an_infinite_kl(tmp_path: Path) -> None:
    write_state(tmp_path / "fold0.state", Progress(), {})
    assert read_progress(tmp_path / "fold0.state").best_kl == float("inf")


@pytest.mark.parametrize("content", [b"", b"garbage that is no state", b"\x08\0\0\0\0\0\0\0{}      "])
def test_what_is_no_state_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "fold0.state").write_bytes(content)
    with pytest.raises(InputError, match=r"fold0\.state: expected the state of a fold"):
        read_progress(tmp_path / "fold0.state")


def test_folds_of_several_sessions_come_together(tmp_path: Path) -> None:
    sources = [session(tmp_path / "a", "fold0"), session(tmp_path / "b", "fold2", "fold1"), session(tmp_path / "c")]
    here = session(tmp_path / "here", "fold1")
    own = FoldFiles.named(here, "fold1").state.read_bytes()
    assert take_folds(sources, here, RUN, ["fold0", "fold1", "fold2", "fold3"]) == ["fold0", "fold2"]
    assert FoldFiles.named(here, "fold2").checkpoint.read_text() == "checkpoint fold2"
    assert FoldFiles.named(here, "fold2").predictions.read_text() == "answers fold2"
    assert read_progress(FoldFiles.named(here, "fold0").state).epochs_done == 3
    assert FoldFiles.named(here, "fold1").state.read_bytes() == own
    assert not FoldFiles.named(here, "fold3").state.exists()


def test_one_fold_in_two_sessions_is_refused(tmp_path: Path) -> None:
    sources = [session(tmp_path / "a", "fold0"), session(tmp_path / "b", "fold0")]
    with pytest.raises(InputError, match=r"fold0: expected it in one folder, received it in .*a and .*b"):
        take_folds(sources, session(tmp_path / "here"), RUN, ["fold0"])


def test_folds_of_another_run_and_folders_without_one_are_refused(tmp_path: Path) -> None:
    here = session(tmp_path / "here")
    other = session(tmp_path / "a", "fold0", run={**RUN, "settings": ("width", 16)})
    with pytest.raises(InputError, match="another settings"):
        take_folds([other], here, RUN, ["fold0"])
    with pytest.raises(InputError, match=r"received no readable run\.json"):
        take_folds([tmp_path], here, RUN, ["fold0"])


def made(folder: Path, stem: str, content: str) -> tuple[FoldFiles, Progress]:
    """A fold with its best epoch's files, as its state names them."""
    files = FoldFiles.named(folder, stem)
    for path in (files.checkpoint, files.predictions):
        path.write_text(f"{path.name} {content}")
    progress = Progress(made={name: sha256_of(getattr(files, name)) for name in ("checkpoint", "predictions")})
    write_state(files.state, progress, {})
    return files, progress


@pytest.mark.parametrize("part", ["checkpoint", "predictions"])
def test_files_of_another_fold_in_a_fold_s_place_are_named(part: str, tmp_path: Path) -> None:
    """They have one size and one shape."""
    (one, progress), (other, _) = made(tmp_path, "fold0", "a"), made(tmp_path, "fold1", "b")
    settle(one, progress)
    getattr(other, part).replace(getattr(one, part))
    with pytest.raises(InputError, match=rf"{getattr(one, part).name}: expected SHA-256 .*, as fold0\.state states"):
        settle(one, progress)
    getattr(one, part).unlink()
    with pytest.raises(InputError, match="received no file"):
        settle(one, progress)


@pytest.mark.parametrize("moved", [(), ("checkpoint",)])
def test_a_kill_between_the_state_and_its_files_costs_nothing(moved: tuple[str, ...], tmp_path: Path) -> None:
    files, before = made(tmp_path, "fold0", "old")
    for name in before.made:
        getattr(files, name).rename(new(getattr(files, name)))  # what the next state names
    progress = Progress(made=before.made)
    for name in before.made:
        getattr(files, name).write_text("older")
    for name in moved:
        new(getattr(files, name)).replace(getattr(files, name))
    settle(files, progress)
    assert files.predictions.read_text() == "fold0.predictions.npy old"
    assert files.checkpoint.read_text() == "fold0.safetensors old"


def test_a_kill_before_the_state_leaves_the_files_that_it_names(tmp_path: Path) -> None:
    files, progress = made(tmp_path, "fold0", "old")
    new(files.checkpoint).write_text("of an epoch that does not count yet")
    settle(files, progress)
    assert files.checkpoint.read_text() == "fold0.safetensors old"


def test_a_fold_of_another_split_is_named(tmp_path: Path) -> None:
    files = FoldFiles.named(tmp_path, "fold0")
    train, valid = np.arange(4), np.arange(4, 6)
    write_state(files.state, Progress(digest_of_rows(SOURCES, train, valid)), {})
    check_rows(files, SOURCES, train, valid)
    with pytest.raises(InputError, match=r"fold0\.state: expected a fold of 3 and 2 rows .* other rows"):
        check_rows(files, SOURCES, train[1:], valid)
    with pytest.raises(InputError, match=r"fold0\.state: expected a fold of 4 and 2 rows .* files changed"):
        check_rows(files, SOURCES[::-1], train, valid)


def test_digests_tell_splits_apart() -> None:
    one, other = np.arange(3), np.arange(3, 5)
    assert digest_of_rows(SOURCES, one, other) == digest_of_rows(SOURCES, one.astype(np.int32), other)
    assert digest_of_rows(SOURCES, one, other) != digest_of_rows(SOURCES, other, one)
    assert digest_of_rows(SOURCES, np.arange(4), np.arange(4, 5)) != digest_of_rows(SOURCES, one, other)
