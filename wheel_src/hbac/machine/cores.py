"""Cores and memory that this process may use: what the scheduler, the system and the control groups allow together."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path("/")
DEFAULT_PERIOD_US: Final = 100_000
NO_LIMIT_BYTES: Final = 1 << 60  # version 1 states a number near 2**63 where there is none


def usable_cores() -> int:
    """Cores that this process may use, 1 or more: by affinity, by what is online, and by the quota of its groups."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    online = os.sysconf("SC_NPROCESSORS_ONLN") if hasattr(os, "sysconf") else affinity
    quota = quota_cores()
    allowed = affinity if quota is None else math.ceil(quota)
    return max(1, min(affinity, allowed, online if online > 0 else affinity))


def usable_memory_bytes() -> int | None:
    """Memory that this process may use: the machine's, or less by a limit of its groups; None where nobody says."""
    try:
        machine: int | None = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        machine = None
    stated = [size for size in (machine, limit_bytes()) if size is not None and size > 0]
    return min(stated, default=None)


def quota_cores(root: Path = ROOT) -> float | None:
    """Cores' worth of time that the control groups allow, the least of all groups around this process; None for any.

    Args:
        root: the folder that holds proc/self/ and what is mounted.
    """
    quotas = []
    for version, folder in _groups(root, "cpu"):
        if version == 2:  # "200000 100000", "max 100000", or the quota alone
            words = [*_words(folder / "cpu.max"), str(DEFAULT_PERIOD_US)][:2]
        else:
            words = [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
        if len(words) == 2 and all(word.isdigit() and int(word) for word in words):  # -1 and max: no quota
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def limit_bytes(root: Path = ROOT) -> int | None:
    """Memory that the control groups allow, the least of all groups around this process; None for any.

    Args:
        root: as of `quota_cores`.
    """
    names = {1: "memory.limit_in_bytes", 2: "memory.max"}
    stated = [word for version, folder in _groups(root, "memory") for word in _words(folder / names[version])]
    return min((int(word) for word in stated if word.isdigit() and int(word) < NO_LIMIT_BYTES), default=None)


def _groups(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """Folders of the groups that this process is in and that hold a controller, from its own outwards, by version."""
    for version, path in _paths(root, controller):
        for mounted, place in _mounts(root, controller, version):
            inside = path.relative_to(mounted) if path.is_relative_to(mounted) else PurePosixPath()
            folder = root / place.lstrip("/")
            if ".." not in inside.parts:
                yield from ((version, folder / parent) for parent in (inside, *inside.parents))
            else:  # of a group outside what this process sees
                yield version, folder


def _paths(root: Path, controller: str) -> Iterator[tuple[int, PurePosixPath]]:
    """The group that this process is in, of each version: lines of `4:cpu,cpuacct:/path`, of version 2 `0::/path`."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers or controller in controllers.split(","):
            yield 1 if controllers else 2, PurePosixPath(path or "/")


def _mounts(root: Path, controller: str, version: int) -> Iterator[tuple[str, str]]:
    """Where the groups are mounted: the group at the mount's top, and the folder."""
    for line in _lines(root / "proc/self/mountinfo"):
        place, _, kind = line.partition(" - ")
        fields, (of_kind, *_, options) = place.split(" "), kind.split(" ") or [""]
        if len(fields) < 5 or of_kind != {1: "cgroup", 2: "cgroup2"}[version]:
            continue
        if version == 2 or controller in options.split(","):
            yield fields[3], fields[4].replace("\\040", " ")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()
