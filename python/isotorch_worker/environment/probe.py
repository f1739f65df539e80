"""What this interpreter has, told without importing torch unless asked to."""

from __future__ import annotations

import os
import platform
import re
import site
import sys
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isotorch_worker.environment.libraries import math_libraries, settings

PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "PIL": "Pillow",
    "zmq": "pyzmq",
    "msgpack": "msgpack",
    "numpy": "numpy",
}


def probe() -> dict[str, Any]:
    """The interpreter and the versions of the packages that the worker needs; ``None`` for a missing one."""
    versions = {module: installed_version(module) for module in PACKAGES}
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "versions": versions,
        "missing": [module for module, version in versions.items() if version is None],
        "userSite": user_site(),
        "watch": watched_files(),
    }


def installed_version(module: str) -> str | None:
    """The version of an importable package without importing it; ``"unknown"`` if it does not say."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    return _recorded_version(PACKAGES[module]) or _written_version(spec.origin) or "unknown"


def watched_files() -> list[str]:
    """Absolute paths whose size or time of change tells that this answer is out of date.

    Installing or removing a package changes a directory of ``sys.path``; one that is changed in place, its
    own file.
    """
    own = str(Path(__file__).resolve().parents[2])
    files = [sys.executable, str(Path(sys.prefix, "pyvenv.cfg"))]
    files += [entry for entry in sys.path if entry and entry != own and Path(entry).is_absolute()]
    for module in PACKAGES:
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):
            continue
        if spec is not None and spec.origin is not None:
            files.append(spec.origin)
    return list(dict.fromkeys(file for file in files if file))


def user_site() -> dict[str, Any]:
    """Packages in the user's own directory: an ordinary ``python`` puts it first, ours leaves it out."""
    folder = Path(site.getusersitepackages())
    # Another account's HOME may forbid the look; `Path.exists` raises then, and Python itself passes it over.
    packages = [module for module in PACKAGES if os.path.exists(folder / module)]  # noqa: PTH110
    return {"path": str(folder), "packages": packages}


def runtime_versions() -> dict[str, str]:
    """Everything that an answer's bits may depend on, as short text. Imports torch."""
    import numpy
    import PIL
    import torch
    import torch.backends.cuda
    import torch.backends.cudnn
    import torch.version
    import torchvision
    import zmq

    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torchvision": str(torchvision.__version__),
        "pillow": str(PIL.__version__),
        "numpy": str(numpy.__version__),
        "zmq": zmq.zmq_version(),
        "pyzmq": zmq.pyzmq_version(),
        "msgpack": installed_version("msgpack") or "unknown",
        "cuda": str(torch.version.cuda or "none"),
        "cudnn": _text(lambda: torch.backends.cudnn.version() or "none"),
        "onednn": onednn_version(),
        **math_libraries(torch.__config__.show()),
        "cpuCapability": cpu_capability(),
        "libjpeg": _jpeg_version(),
        "tf32Matmul": _flag(lambda: torch.backends.cuda.matmul.allow_tf32),
        "tf32Convolution": _flag(lambda: torch.backends.cudnn.allow_tf32),
        **settings(),
    }


def _recorded_version(name: str) -> str | None:
    """What the first whole record says: a broken installation leaves a ``dist-info`` without ``METADATA``."""
    for distribution in metadata.distributions(name=name):
        # Python's versions differ in what they do without it: None, a warning, KeyError.
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        match = re.search(r"^Version:\s*(\S+)", text, re.MULTILINE)
        if match:
            return match.group(1)
    return None


def _written_version(origin: str | None) -> str | None:
    if origin is None:
        return None
    for name in ("version.py", "_version.py", "__init__.py"):
        try:
            text = (Path(origin).parent / name).read_text("utf-8", "replace")
        except OSError:
            continue
        match = re.search(r"""^__version__\s*(?::\s*\w+\s*)?=\s*['"]([^'"]+)""", text, re.MULTILINE)
        if match:
            return match.group(1)
    return None


def onednn_version() -> str:
    """The version of oneDNN in this PyTorch, or ``"none"``. Imports torch."""
    import torch

    match = re.search(r"MKL-DNN v([\w.]+)", torch.__config__.show())
    return match.group(1) if match else "none"


def cpu_capability() -> str:
    """The instructions that PyTorch takes here, such as ``AVX2``. Imports torch."""
    import torch

    match = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    return match.group(1) if match else "unknown"


def _jpeg_version() -> str:
    from PIL import features

    turbo = features.version("libjpeg_turbo")
    return f"turbo {turbo}" if turbo else str(features.version("jpg"))


def _flag(read: Callable[[], Any]) -> str:
    # Newer versions refuse the old name once the new one was set.
    return _text(lambda: str(read()).lower())


def _text(read: Callable[[], Any]) -> str:
    """What cannot be read ends nothing: on the CPU, a cuDNN that does not load matters to nobody."""
    try:
        return str(read())
    except Exception as error:
        return f"unknown ({type(error).__name__})"
