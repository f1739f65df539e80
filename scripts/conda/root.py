"""Makes an installation of conda from its source: ``root.py GIT TAG ROOT PYTHON [--terms GIT]``.

GIT is a clone or a bare mirror of conda's repository, PYTHON the directory of a Python that may be copied,
such as one of pyenv's. What conda needs comes from PyPI; menuinst, which only Windows needs, is left out.
``--terms`` adds the plugin conda-anaconda-tos, by which Anaconda's and Miniconda's conda asks for consent.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

NEEDS = [
    "archspec",
    "boltons",
    "charset-normalizer",
    "conda-package-handling",
    "distro",
    "frozendict",
    "jsonpatch",
    "packaging",
    "platformdirs",
    "pluggy",
    "pycosat",
    "requests",
    "ruamel.yaml<0.18",
    "setuptools<81",
    "tqdm",
    "zstandard",
]
NEWER_NEEDS = ["msgpack", "truststore", "backports.zstd"]
# conda's own solver of today, libmamba, is not on PyPI; this one is. Before it, conda brings the classic one.
SOLVER = ["conda-rattler-solver"]
TERMS_NEEDS = ["rich", "pydantic"]
ENTRY_POINT = "[conda]\nconda-anaconda-tos = conda_anaconda_tos.plugin\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("git")
    parser.add_argument("tag")
    parser.add_argument("root", type=Path)
    parser.add_argument("python", type=Path)
    parser.add_argument("--terms", default="")
    asked = parser.parse_args()
    root = asked.root.absolute()
    # Made beside its place, and taken away when its last step fails: a root that is there is whole.
    building = root.with_name(f"{root.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    python = copy_python(asked.python, building)
    year = int(asked.tag.split(".")[0])
    pip(python, NEEDS + (NEWER_NEEDS if year >= 23 else []) + (SOLVER if year >= 26 else []))
    site = next(building.glob("lib/python3.*/site-packages"))
    add_conda(asked.git, asked.tag, site)
    if asked.terms:
        pip(python, TERMS_NEEDS)
        add_terms(asked.terms, site)
    building.rename(root)
    try:
        initialise(root, asked.tag)
    except BaseException:
        shutil.rmtree(root)
        raise


def copy_python(source: Path, root: Path) -> Path:
    """A copy that runs from its new place."""
    version = next(source.glob("lib/python3.*")).name
    leave = shutil.ignore_patterns("__pycache__", "test", "*.a", "idlelib", "turtledemo")
    shutil.copytree(source, root, ignore=leave, symlinks=True)
    subprocess.run(["patchelf", "--set-rpath", "$ORIGIN/../lib", str(root / "bin" / version)], check=True)
    return root / "bin" / version


def pip(python: Path, requirements: list[str]) -> None:
    words = ["install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([str(python), "-m", "pip", *words, *requirements], check=True, env=environ)


def unpack(git: str, tag: str, folders: list[str], site: Path) -> None:
    """Takes folders of a commit out of a repository, which may be bare."""
    known = subprocess.run(
        ["git", "-C", git, "ls-tree", "--name-only", tag], check=True, capture_output=True, text=True
    ).stdout.split()
    here = [folder for folder in folders if folder in known]
    archive = subprocess.run(
        ["git", "-C", git, "archive", tag, *here], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(site)


def add_conda(git: str, tag: str, site: Path) -> None:
    unpack(git, tag, ["conda", "conda_env"], site)
    # The three places where conda of different ages looks for its own version.
    (site / "conda/_version.py").write_text(f'__version__ = version = "{tag}"\n')
    (site / "conda/__version__.py").write_text(f'__version__ = "{tag}"\n')
    (site / "conda/.version").write_text(f"{tag}\n")
    info = site / f"conda-{tag}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: conda\nVersion: {tag}\n")


def add_terms(git: str, site: Path) -> None:
    unpack(git, "HEAD", ["conda_anaconda_tos"], site)
    (site / "conda_anaconda_tos/_version.py").write_text('__version__ = version = "0"\n')
    info = site / "conda_anaconda_tos-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: conda-anaconda-tos\nVersion: 0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINT)


def initialise(root: Path, tag: str) -> None:
    """What conda's own installer does at its end: the scripts of ``bin`` and ``condabin``."""
    (root / "conda-meta").mkdir()
    (root / "conda-meta/history").touch()
    (root / "condabin").mkdir(exist_ok=True)
    code = "import sys; from conda.core import initialize as i; i.run_plan(i.make_install_plan(sys.argv[1]))"
    subprocess.run([str(root / "bin/python3"), "-c", code, str(root)], check=True, stdout=subprocess.DEVNULL)
    said = subprocess.run([str(root / "bin/conda"), "--version"], check=True, capture_output=True, text=True)
    if tag not in said.stdout:
        sys.exit(f"{root}/bin/conda says {said.stdout.strip()}, not {tag}: {said.stderr.strip()}")


main()
