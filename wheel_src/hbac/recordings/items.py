"""What a scan is asked for: recordings by their files, or all that lie below folders, and where the results go."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hbac.errors import InputError, RecordError

SUFFIXES: Final = (  # of what is opened below a folder, in any case; nothing else is
    ".edf",
    ".bdf",
    ".gdf",
    ".vhdr",
    ".ahdr",
    ".set",
    ".fif",
    ".fif.gz",
    ".cnt",
    ".lay",
    ".egi",
    ".nedf",
)
FOLDERS: Final = (".mff",)  # folders that are one recording
NAMED: Final = re.compile(r"^\s*(?:DataFile|MarkerFile)\s*=(.*)$", re.MULTILINE)  # in a BrainVision header
PART: Final = re.compile(r"-\d+(?=\.fif(\.gz)?$)", re.IGNORECASE)  # of a FIF file in several, which MNE joins


@dataclass(frozen=True)
class Item:
    """One recording of a scan."""

    source: Path
    folder: Path = Path()  # of its results, below that of the scan

    @property
    def place(self) -> str:
        """What it is called: `night`, `sub-01/night`."""
        return (self.folder / self.source.stem).as_posix()


def items_of(recordings: Sequence[Path], output: Path) -> list[Item]:
    """A recording for each file, and all below each folder, in the order of their names.

    Below a folder, what begins with a dot is left out, and so is what lies in `output` or was written by a scan. Links
    are followed. Results lie below `output` as recordings do below their folder.

    Raises:
        InputError: a folder without a recording.
        OSError: a folder that cannot be read.
    """
    items: list[Item] = []
    for source in recordings:
        if source.is_dir() and source.suffix.lower() not in FOLDERS:
            items += _below(source, output)
        else:
            items.append(Item(source))
    return items


def _below(folder: Path, output: Path) -> list[Item]:
    found = sorted(path for path in _walk(folder, output) if not (_is_part(path) or _is_result(path)))
    items = [Item(path, path.parent.relative_to(folder)) for path in found]
    if not items:
        raise InputError(f"{folder}: expected recordings ({', '.join(SUFFIXES + FOLDERS)}), found none")
    return items


def _walk(folder: Path, output: Path) -> Iterator[Path]:
    """What is called as a recording is."""
    own = os.path.realpath(output)

    def enters(path: Path) -> bool:
        return any(_shown([path.name])) and not path.name.lower().endswith(FOLDERS) and os.path.realpath(path) != own

    for above, folders, files in folders_below(folder, enters):
        yield from (above / name for name in _shown(folders) if name.lower().endswith(FOLDERS))
        yield from (above / name for name in _shown(files) if name.lower().endswith(SUFFIXES))


def folders_below(
    folder: Path, enters: Callable[[Path], bool] = lambda _: True
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """A folder and those below it that `enters` takes, each once, however many links lead to it: path, folders, files.

    Raises:
        OSError: one cannot be read.
    """
    seen = {os.path.realpath(folder)}
    for above, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        inside, folders[:] = sorted(folders), []
        for name in inside:
            path = Path(above, name)
            if enters(path) and (real := os.path.realpath(path)) not in seen:
                seen.add(real)
                folders.append(name)
        yield Path(above), inside, files


def _raise(error: OSError) -> None:
    raise error


def _shown(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not name.startswith("."))


def _is_part(path: Path) -> bool:
    """Whether a FIF file is the continuation of one beside it."""
    whole = PART.sub("", path.name)
    return whole != path.name and path.with_name(whole).exists()


def _is_result(path: Path) -> bool:
    """Whether it is `NAME_annotations.edf` of a scan, which writes NAME's probabilities beside it, and earlier."""
    name = path.name.removesuffix("_annotations.edf")
    return name != path.name and path.with_name(f"{name}_probabilities.csv").exists()


def check_places(items: Sequence[Item], output: Path, endings: Sequence[str]) -> None:
    """Refuse recordings whose files would be written over each other, or over a recording.

    Args:
        items: of a scan, one or more.
        output: its folder.
        endings: of the files of each.

    Raises:
        InputError: there are such.
    """
    place, times = Counter(item.place for item in items).most_common(1)[0]
    if times > 1:
        twice = ", ".join(str(item.source) for item in items if item.place == place)
        raise InputError(f"recordings: expected a name of its own for each, received {times} called {place!r}: {twice}")
    written = {
        Path(os.path.realpath(output / item.folder), f"{item.source.stem}{ending}"): item.source
        for item in items
        for ending in endings
    }
    for item in items:
        if (path := item.source.resolve()) in written:
            raise InputError(
                f"{item.source}: expected a recording, received a file that the scan of {written[path]} writes"
            )


def inputs_of(source: Path) -> list[Path]:
    """The files that a recording may consist of: itself, what lies in it, or what belongs to it beside it.

    That is what is called like it, the parts of a FIF file, what a BrainVision header names, and for an EEGLAB file
    without an .fdt of its name all .fdt of the folder.

    Raises:
        RecordError: there is none.
    """
    if source.is_dir():
        return sorted(path for path in source.rglob("*") if path.is_file())
    if not source.is_file():
        raise RecordError(f"{source}: expected a recording, found none")
    if source.suffix.lower() in (".edf", ".bdf"):
        return [source]
    patterns = [
        f"{_literal(source.stem)}.*",
        f"{_literal(source.name.removesuffix('.gz').removesuffix('.fif'))}-*.fif*",
    ]
    if source.suffix.lower() == ".set" and not source.with_suffix(".fdt").exists():
        patterns.append("*.fdt")
    beside = {path for pattern in patterns for path in source.parent.glob(pattern)} | set(_named_in(source)) | {source}
    return sorted(path for path in beside if path.is_file())


def _named_in(source: Path) -> list[Path]:
    """The files that a BrainVision header names."""
    if source.suffix.lower() not in (".vhdr", ".ahdr"):
        return []
    names = NAMED.findall(source.read_bytes().decode("utf-8", "replace"))
    return [source.parent / name.strip().replace("$b", source.stem) for name in names]


def _literal(name: str) -> str:
    """A name that `glob` takes as it is."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def check_name(source: Path) -> None:
    """Raises RecordError where a name is no text, which neither a page nor a table could state."""
    try:
        str(source).encode()
    except UnicodeEncodeError as error:
        raise RecordError(f"{plain(source)}: expected a name in UTF-8, received other bytes") from error


def plain(path: Path) -> str:
    """As text, whatever its bytes are."""
    return str(path).encode("utf-8", "backslashreplace").decode()
