"""Makes the channels that isotorch's conda environments come from: ``channel.py CHANNELS WHEELS PYTHON``.

WHEELS holds what ``wheels.txt`` names, PYTHON is the directory of a Python 3.10 that may be copied. The
packages of env.yml are whole, with PyPI's PyTorch in them; those of env.cpu.yml and env.cuda.yml are their
metadata alone, which is enough to solve them. Names, builds and dependencies are those of the real channels,
shortened.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from package import PLACEHOLDER, Channel, Package

CHANNELS, WHEELS, PYTHON = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
SITE = "lib/python3.10/site-packages"
PY310 = ["python >=3.10,<3.11.0a0"]
PY312 = ["python >=3.12,<3.13.0a0"]
# Dependencies that matter to the solver alone.
EMPTY = ["openssl", "libffi", "zlib", "tzdata", "intel-openmp", "ffmpeg", "jpeg", "libpng", "ca-certificates"]
PURE = {
    "typing_extensions": [],
    "urllib3": [],
    "idna": [],
    "certifi": [],
    "charset-normalizer": [],
    "requests": ["urllib3", "idna", "certifi", "charset-normalizer"],
}
COMPILED_FILES = shutil.ignore_patterns("__pycache__")
COMPILED = {"numpy": "numpy", "pillow": "pillow", "pyzmq": "pyzmq", "msgpack-python": "msgpack"}


def main() -> None:
    forge, pytorch = Channel(CHANNELS / "conda-forge"), Channel(CHANNELS / "pytorch")
    add_base(forge)
    add_libraries(forge)
    add_torch(pytorch)
    add_current(forge)
    for channel in (forge, pytorch, Channel(CHANNELS / "pkgs/main")):
        channel.write()
    # The terms of `defaults`, which nobody has accepted.
    terms = {"version": "2025-07-15T00:00:00Z", "text": "x", "support": "x"}
    (CHANNELS / "pkgs/main/terms.json").write_text(json.dumps(terms), "utf-8")
    # conda-forge once more, as a mirror whose terms nobody has accepted.
    (CHANNELS / "terms/conda-forge").mkdir(parents=True)
    for subdir in ("linux-64", "noarch"):
        (CHANNELS / "terms/conda-forge" / subdir).symlink_to(CHANNELS.absolute() / "conda-forge" / subdir)
    (CHANNELS / "terms/conda-forge/terms.json").write_text(json.dumps(terms), "utf-8")


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty directory beside the channels, which are large."""
    with tempfile.TemporaryDirectory(dir=CHANNELS) as folder:
        yield Path(folder)


def wheel(name: str) -> Path:
    pattern = re.compile(re.escape(name).replace("\\-", "[-_]") + r"-\d.*\.whl", re.IGNORECASE)
    found = [file for file in WHEELS.iterdir() if pattern.fullmatch(file.name)]
    if not found:
        sys.exit(f"There is no wheel of {name} in {WHEELS}")
    return sorted(found)[-1]


def add_wheel(channel: Channel, package: Package, name: str, site: str, leave: tuple[str, ...] = ()) -> None:
    """Adds a wheel's contents; the version is the wheel's."""
    file = wheel(name)
    package.version = file.name.split("-")[1]
    with scratch() as root:
        with zipfile.ZipFile(file) as archive:
            archive.extractall(root / site)
        for pattern in ("*.data", *leave):
            for folder in (root / site).glob(pattern):
                shutil.rmtree(folder)
        for info in (root / site).glob("*.dist-info"):
            (info / "INSTALLER").write_text("conda\n", "utf-8")
        channel.add(package, root)


def add_base(forge: Channel) -> None:
    with scratch() as root:
        texts = lay_out_python(root)
        package = Package(
            "python", version_of_python(), "hd12c33a_0_cpython", ["openssl", "libffi", "zlib", "tzdata"]
        )
        package.with_prefix = texts
        forge.add(package, root)
    source = PYTHON / SITE
    for name, parts in (("pip", ["pip"]), ("setuptools", ["setuptools", "pkg_resources", "_distutils_hack"])):
        info = next(source.glob(f"{name}-*.dist-info"))
        package = Package(
            name, info.name.split("-")[1].removesuffix(".dist"), "pyhd8ed1ab_0", ["python >=3.7"]
        )
        package.noarch = "python"
        package.entry_points = ["pip = pip._internal.cli.main:main"] if name == "pip" else []
        with scratch() as root:
            for part in (*parts, info.name):
                shutil.copytree(source / part, root / "site-packages" / part, ignore=COMPILED_FILES)
            forge.add(package, root)


def version_of_python() -> str:
    command = [str(PYTHON / "bin/python3.10"), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]


def lay_out_python(root: Path) -> list[str]:
    """Copies Python as conda packages it; returns the files in which the prefix stands."""
    leave = shutil.ignore_patterns(
        "__pycache__",
        "test",
        "tests",
        "idlelib",
        "turtledemo",
        "*.a",
        "site-packages",
        "ensurepip",
        "lib2to3",
    )
    (root / "bin").mkdir()
    shutil.copy2(PYTHON / "bin/python3.10", root / "bin/python3.10")
    for name in ("python3", "python"):
        (root / "bin" / name).symlink_to("python3.10")
    shutil.copytree(PYTHON / "lib/python3.10", root / "lib/python3.10", ignore=leave, symlinks=True)
    shutil.copy2(PYTHON / "lib/libpython3.10.so.1.0", root / "lib/libpython3.10.so.1.0")
    (root / SITE).mkdir()
    (root / SITE / "README.txt").write_text("This directory contains packages.\n", "utf-8")
    subprocess.run(["patchelf", "--set-rpath", "$ORIGIN/../lib", str(root / "bin/python3.10")], check=True)
    texts: list[str] = []
    for file in (root / "lib/python3.10").glob("_sysconfigdata*.py"):
        file.write_text(file.read_text("utf-8").replace(str(PYTHON), PLACEHOLDER), "utf-8")
        texts.append(file.relative_to(root).as_posix())
    return texts


def add_libraries(forge: Channel) -> None:
    for name in EMPTY:
        forge.add(Package(name, "1.0"))
    for version in ("11.3.1", "11.8.0"):
        forge.add(Package("cudatoolkit", version))
    forge.add(Package("blas", "2.116", "mkl", ["mkl"]))
    with scratch() as root:
        (root / "etc/conda/env_vars.d").mkdir(parents=True)
        (root / "etc/conda/env_vars.d/mkl.json").write_text('{"MKL_INTERFACE_LAYER": "LP64,GNU"}', "utf-8")
        forge.add(Package("mkl", "2024.0.0", "ha957f24_49657", ["intel-openmp"]), root)
    # What the pins of env.yml keep out.
    forge.add(Package("mkl", "2024.2.2", "ha957f24_16"))
    forge.add(Package("numpy", "2.0.2", "py310h0_0", PY310))
    for name, depends in PURE.items():
        package = Package(name, "", "pyhd8ed1ab_0", ["python >=3.8", *depends], noarch="python")
        add_wheel(forge, package, name, "site-packages")
    for name, on_pypi in COMPILED.items():
        add_wheel(forge, Package(name, "", "py310h0_0", PY310), on_pypi, SITE)


def add_torch(pytorch: Channel) -> None:
    for build, number in (("cuda", 100), ("cpu", 0)):
        pytorch.add(Package("pytorch-mutex", "1.0", build, number=number, noarch="generic"))
    mkl = ["blas * mkl", "mkl >=2018", "typing_extensions"]
    cuda, cpu = ["pytorch-mutex 1.0 cuda"], ["pytorch-mutex 1.0 cpu"]
    # PyPI's is the build for CUDA 10.2; its metadata here are those of the channel's for 11.3.
    depends = [*mkl, "cudatoolkit >=11.3,<11.4", *PY310, *cuda]
    torch = Package("pytorch", "", "py3.10_cuda11.3_cudnn8.3.2_0", depends, ["cpuonly <0"])
    add_wheel(pytorch, torch, "torch", SITE, ("caffe2", "torch/include", "torch/test"))
    depends = ["cudatoolkit >=11.6,<11.7", *PY310, *cuda]
    pytorch.add(Package("pytorch", "1.12.1", "py3.10_cuda11.6_cudnn8.3.2_0", depends, ["cpuonly <0"]))
    pytorch.add(Package("pytorch", "1.12.1", "py3.10_cpu_0", [*mkl, *PY310, *cpu]))
    needs = [
        "ffmpeg",
        "jpeg",
        "libpng",
        "numpy >=1.11",
        "pillow >=5.3.0",
        *PY310,
        "pytorch 1.12.1",
        "requests",
    ]
    add_wheel(pytorch, Package("torchvision", "", "py310_cu113", [*needs, *cuda]), "torchvision", SITE)
    pytorch.add(Package("torchvision", "0.13.1", "py310_cpu", [*needs, *cpu]))


def add_current(forge: Channel) -> None:
    """What env.cpu.yml and env.cuda.yml ask for, as metadata."""
    forge.add(Package("python", "3.12.7", "hc5c86c4_0_cpython", ["openssl", "tzdata"]))
    forge.add(Package("cuda-version", "12.6", "h7480c83_3", noarch="generic"))
    for name in COMPILED:
        forge.add(Package(name, "3.0", "py312h0_0", PY312))
    forge.add(Package("pytorch", "2.7.1", "cpu_generic_py312_h0_0", ["numpy", *PY312]))
    cuda = ["numpy", *PY312, "cuda-version >=12.6,<13", "__cuda"]
    forge.add(Package("pytorch", "2.7.1", "cuda126_generic_py312_h0_300", cuda, number=300))
    forge.add(Package("torchvision", "0.22.0", "py312_h0_0", ["pytorch >=2.7", "numpy", "pillow", *PY312]))


main()
