"""What an interpreter says of itself, also where its packages are not whole."""

from __future__ import annotations

import os
import site as sites
import sys
from pathlib import Path

import pytest

from isotorch_worker.environment.probe import installed_version, runtime_versions, user_site


def site_with(folder: Path, *infos: str) -> None:
    """A directory of packages with a msgpack in it and such records of it."""
    (folder / "msgpack").mkdir()
    (folder / "msgpack/__init__.py").write_text("version = (9, 9, 9)\n", "utf-8")
    for name in infos:
        (folder / name).mkdir()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "msgpack", raising=False)
    return tmp_path


def test_a_record_without_metadata_says_nothing(site: Path):
    site_with(site, "msgpack-1.0.0.dist-info")
    assert installed_version("msgpack") == "unknown"
    (site / "msgpack-1.0.0.dist-info/METADATA").write_text("", "utf-8")
    assert installed_version("msgpack") == "unknown"
    (site / "msgpack/__init__.py").write_text("__version__ = '1.0.7'\n", "utf-8")
    assert installed_version("msgpack") == "1.0.7"


def test_a_whole_record_beside_it_counts(site: Path):
    site_with(site, "msgpack-0.1.dist-info", "msgpack-1.0.7.dist-info", "msgpack-1.dist-info")
    text = "Metadata-Version: 2.1\nName: msgpack\nVersion: 1.0.7\n\nVersion: of the description\n"
    (site / "msgpack-1.0.7.dist-info/METADATA").write_text(text, "utf-8")
    assert installed_version("msgpack") == "1.0.7"


def test_a_record_without_its_package_is_no_package(site: Path):
    (site / "msgpack-1.0.7.dist-info").mkdir()
    (site / "msgpack-1.0.7.dist-info/METADATA").write_text("Name: msgpack\nVersion: 1.0.7\n", "utf-8")
    assert installed_version("msgpack") is None


def test_a_cudnn_that_does_not_load_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch):
    import torch

    def version() -> int:
        raise RuntimeError("cuDNN version incompatibility")

    monkeypatch.setattr(torch.backends.cudnn, "version", version)
    assert runtime_versions()["cudnn"] == "unknown (RuntimeError)"
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: None)
    assert runtime_versions()["cudnn"] == "none"


def test_a_home_that_may_not_be_looked_into_has_no_packages(monkeypatch: pytest.MonkeyPatch):
    stat = os.stat

    def forbid(path: object, **options: object) -> os.stat_result:
        if str(path).startswith("/another-account"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(sites, "getusersitepackages", lambda: "/another-account/site-packages")
    monkeypatch.setattr(os, "stat", forbid)
    assert user_site() == {"path": "/another-account/site-packages", "packages": []}
