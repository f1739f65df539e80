"""Which CPUs this process has, and how much of them Linux's control groups leave. As src/python/quota.ts."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath


def available_cpus() -> int:
    """How many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPUs that this process may use at the same time on average; None without a limit, or outside Linux.

    Version 2's ``cpu.max`` or version 1's ``cpu.cfs_quota_us``: the least of the process's own group and
    of all above it that can be read.
    """
    limits = [
        limit
        for mount, group, is_version_2 in _groups(root)
        for folder in _upwards(root, mount, group)
        if (limit := _limit(folder, is_version_2)) is not None
    ]
    return min(limits, default=None)


def _groups(root: Path) -> list[tuple[str, str, bool]]:
    """Each hierarchy that limits CPU time: its mount, the process's group below it, and its version."""
    own: dict[bool, str] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, group = (*line.split(":", 2), "", "")[:3]
        if number == "0" and controllers == "":
            own[True] = group
        elif "cpu" in controllers.split(","):
            own[False] = group
    found: list[tuple[str, str, bool]] = []
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(" "), (*after.split(" "), "", "", "")[:3]
        is_version_2 = kind == "cgroup2"
        is_ours = is_version_2 or (kind == "cgroup" and "cpu" in options.split(","))
        if is_ours and is_version_2 in own and len(fields) > 4:
            above, mount = _unescaped(fields[3]), _unescaped(fields[4])
            found.append((mount, _below(own[is_version_2], above), is_version_2))
    return found


def _below(group: str, above: str) -> str:
    """``group`` as seen from a mount that shows what is below ``above``: containers see a part only."""
    try:
        return str(PurePosixPath(group).relative_to(above))
    except ValueError:
        return "."


def _upwards(root: Path, mount: str, group: str) -> list[Path]:
    top = root / mount.lstrip("/")
    own = PurePosixPath(group.lstrip("/"))
    return [] if ".." in own.parts else [top / own, *(top / parent for parent in own.parents)]


def _limit(folder: Path, is_version_2: bool) -> float | None:
    if is_version_2:
        quota, period = (*_read(folder / "cpu.max").split(), "", "")[:2]
    else:
        quota, period = (_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    if not (quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0):
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), field)
