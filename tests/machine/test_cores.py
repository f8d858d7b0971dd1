"""Cores and memory by control groups: a folder of files stands for the machine."""

import os
from pathlib import Path

import pytest

from hbac.machine import cores

V2 = "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
    "32 31 0:29 {root} /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 {root} /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory\n"
    "34 31 0:31 {root} /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
)


def machine(folder: Path, mounts: str, groups: str, files: dict[str, str]) -> Path:
    """A root folder with proc/self/ and the files of sys/fs/cgroup/."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/mountinfo").write_text(mounts + "\n")
    (folder / "proc/self/cgroup").write_text(groups + "\n")
    for name, text in files.items():
        path = folder / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize(
    ("group", "root", "files", "quota", "limit"),
    [
        ("0::/", "/", {"cpu.max": "200000 100000", "memory.max": "4294967296"}, 2.0, 4 << 30),
        ("0::/", "/", {"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        ("0::/", "/", {"cpu.max": "50000"}, 0.5, None),  # the period is its default
        ("0::/", "/", {}, None, None),  # the root group has no such files
        ("0::/a/b", "/", {"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000"}, 1.5, None),
        ("0::/a/b", "/", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "300000 100000"}, 3.0, None),
        ("0::/a/b", "/", {"a/b/memory.max": "1024", "a/memory.max": "2048"}, None, 1024),
        ("0::/docker/x/job", "/docker/x", {"job/cpu.max": "max 100000", "cpu.max": "200000 100000"}, 2.0, None),
        ("0::/docker/x", "/", {"cpu.max": "200000 100000"}, 2.0, None),  # mounted from elsewhere
        ("0::/../other", "/", {"cpu.max": "200000 100000"}, 2.0, None),  # outside of what is seen
        ("0::/", "/", {"cpu.max": "nonsense", "memory.max": ""}, None, None),
    ],
)
def test_version_2_states_the_least_of_all_groups_around(
    tmp_path: Path, group: str, root: str, files: dict[str, str], quota: float | None, limit: int | None
) -> None:
    here = machine(tmp_path, V2.format(root=root), group, files)
    assert cores.quota_cores(here) == quota
    assert cores.limit_bytes(here) == limit


@pytest.mark.parametrize(
    ("path", "root", "quota_us", "limit_bytes", "quota", "limit"),
    [
        ("/", "/", "200000", "1073741824", 2.0, 1 << 30),
        ("/", "/", "-1", "9223372036854771712", None, None),
        ("/docker/x", "/docker/x", "50000", "1073741824", 0.5, 1 << 30),
        ("/docker/x", "/", "250000", "1073741824", 2.5, 1 << 30),
    ],
)
def test_version_1_states_quota_and_period(
    tmp_path: Path, path: str, root: str, quota_us: str, limit_bytes: str, quota: float | None, limit: int | None
) -> None:
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": quota_us,
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": limit_bytes,
    }
    groups = f"12:memory:{path}\n4:cpu,cpuacct:{path}\n1:name=systemd:/\n0::/"
    here = machine(tmp_path, V1.format(root=root), groups, files)
    assert cores.quota_cores(here) == quota
    assert cores.limit_bytes(here) == limit


def test_where_no_group_is_told_there_is_no_limit(tmp_path: Path) -> None:
    assert cores.quota_cores(tmp_path) is None
    assert cores.limit_bytes(tmp_path) is None


@pytest.mark.parametrize(("quota", "usable"), [(None, 64), (2.0, 2), (1.5, 2), (0.25, 1), (100.0, 64)])
def test_the_quota_and_the_affinity_count_together(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, usable: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(os, "sysconf", lambda name: 64)
    monkeypatch.setattr(cores, "quota_cores", lambda: quota)
    assert cores.usable_cores() == usable


def test_fewer_cores_online_than_the_affinity_says_are_those_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a container's file system shows it no more of /sys than its own cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(os, "sysconf", lambda name: 3)
    monkeypatch.setattr(cores, "quota_cores", lambda: None)
    assert cores.usable_cores() == 3


def test_no_process_has_more_memory_than_the_machine() -> None:
    size = cores.usable_memory_bytes()
    assert size is not None
    assert 0 < size <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
