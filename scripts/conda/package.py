"""Writes packages as conda's channels have them: ``.conda`` archives and their ``repodata.json``."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

# What conda replaces by the prefix in text files; long, so that it can replace it in binaries too.
PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3/" + "_h_env_placehold_" * 8
TIMESTAMP = 1_660_000_000


@dataclass
class Package:
    """What the index says of a package. ``python`` marks one that is the same for every Python."""

    name: str
    version: str
    build: str = "h0_0"
    depends: list[str] = field(default_factory=list)
    constrains: list[str] = field(default_factory=list)
    number: int = 0
    noarch: str | None = None
    entry_points: list[str] = field(default_factory=list)
    # Files, by their paths in the package, in which PLACEHOLDER stands for the prefix.
    with_prefix: list[str] = field(default_factory=list)

    @property
    def subdir(self) -> str:
        return "noarch" if self.noarch else "linux-64"

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-{self.build}.conda"

    def index(self) -> dict[str, Any]:
        index: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": self.number,
            "depends": self.depends,
            "constrains": self.constrains,
            "subdir": self.subdir,
            "license": "see upstream",
            "timestamp": TIMESTAMP * 1000,
        }
        return index | ({"noarch": self.noarch} if self.noarch else {"arch": "x86_64", "platform": "linux"})


class Channel:
    """A directory of packages, such as ``pytorch``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index: dict[str, dict[str, Any]] = {"linux-64": {}, "noarch": {}}

    def add(self, package: Package, root: Path | None = None) -> None:
        """Adds a package; ``root`` is laid out as a prefix is, without it there is the metadata alone."""
        target = self.folder / package.subdir / package.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        stem = package.filename.removesuffix(".conda")
        paths = _paths(package, root) if root else []
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
            contents = [(path["_path"], root / path["_path"]) for path in paths] if root else []
            archive.writestr(f"pkg-{stem}.tar.zst", _compressed(contents))
            archive.writestr(f"info-{stem}.tar.zst", _compressed(_info(package, paths)))
        data = target.read_bytes()
        self.index[package.subdir][package.filename] = {
            **package.index(),
            "md5": hashlib.md5(data).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }

    def write(self) -> None:
        """Writes the index of both subdirectories."""
        for subdir, packages in self.index.items():
            (self.folder / subdir).mkdir(parents=True, exist_ok=True)
            data = {
                "info": {"subdir": subdir},
                "packages": {},
                "packages.conda": packages,
                "repodata_version": 1,
            }
            (self.folder / subdir / "repodata.json").write_text(json.dumps(data, indent=1), "utf-8")


def _paths(package: Package, root: Path) -> list[dict[str, Any]]:
    paths: list[dict[str, Any]] = []
    for file in sorted(root.rglob("*")):
        if file.is_dir() and not file.is_symlink():
            continue
        name = file.relative_to(root).as_posix()
        data = file.read_bytes()
        entry = {
            "_path": name,
            "path_type": "softlink" if file.is_symlink() else "hardlink",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data),
        }
        if name in package.with_prefix:
            entry |= {"file_mode": "text", "prefix_placeholder": PLACEHOLDER}
        paths.append(entry)
    return paths


def _info(package: Package, paths: list[dict[str, Any]]) -> list[tuple[str, Path | bytes]]:
    info: dict[str, Any] = {
        "index.json": package.index(),
        "paths.json": {"paths": paths, "paths_version": 1},
        "about.json": {},
    }
    if package.noarch == "python":
        noarch = {"type": "python", "entry_points": package.entry_points}
        info["link.json"] = {"noarch": noarch, "package_metadata_version": 1}
    files: list[tuple[str, Path | bytes]] = [
        (f"info/{name}", json.dumps(value).encode()) for name, value in info.items()
    ]
    files.append(("info/files", "".join(f"{path['_path']}\n" for path in paths).encode()))
    if package.with_prefix:
        lines = "".join(f"{PLACEHOLDER} text {name}\n" for name in package.with_prefix)
        files.append(("info/has_prefix", lines.encode()))
    return files


def _compressed(files: list[tuple[str, Path]] | list[tuple[str, Path | bytes]]) -> bytes:
    out = io.BytesIO()
    writer = zstandard.ZstdCompressor(level=1, threads=2).stream_writer(out, closefd=False)
    with writer, tarfile.open(fileobj=writer, mode="w|") as archive:
        for name, source in files:
            if isinstance(source, Path):
                archive.add(source, name, recursive=False)
                continue
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(source), 0o644, TIMESTAMP
            archive.addfile(entry, io.BytesIO(source))
    return out.getvalue()
