"""What an environment's answers may depend on, as one line of JSON: ``python -I versions.py``."""

import io
import json
import platform
import re
from pathlib import Path


def mapped() -> "list[str]":
    """The libraries that this process has loaded; none where the system does not tell."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return sorted({line.split(maxsplit=5)[5] for line in lines if ".so" in line})


def libjpeg() -> str:
    """Whose libjpeg Pillow decodes with, and its version: turbo's number, or the IJG's with its letter."""
    import PIL._imaging
    from PIL import Image, features

    turbo = features.version("libjpeg_turbo")
    if turbo:
        return f"turbo {turbo}"
    Image.new("RGB", (8, 8)).save(io.BytesIO(), "JPEG")
    # Either a library of its own, or linked into Pillow's.
    files = [file for file in mapped() if re.search(r"/libjpeg[^/]*\.so", file)] + [PIL._imaging.__file__]
    for file in files:
        version = re.search(rb"\b(\d[a-z]?)  \d{1,2}-[A-Z][a-z]{2}-\d{4}", Path(file).read_bytes())
        if version:
            return f"IJG {version[1].decode()}"
    return f"IJG {features.version('jpg')}"


def blas(config: str) -> str:
    """The BLAS that torch computes with: MKL where it is linked in, else the library that is loaded."""
    mkl = re.search(r"Math Kernel Library Version (\d[\d.]*\d)", config)
    if mkl:
        return f"MKL {mkl[1]}"
    pattern = re.compile(r"/lib(?:blas|openblas|mkl_rt|atlas|blis|flexiblas|satlas|tatlas)[^/]*\.so")
    files = [Path(file) for file in mapped() if pattern.search(file) and "numpy" not in file]
    return ", ".join(f"{file.parent.name}/{file.name}" for file in files) or "unknown"


def main() -> None:
    # Before torchvision loads a libjpeg of its own.
    jpeg = libjpeg()
    import numpy
    import PIL
    import torch
    import torchvision

    torch.ones(64, 64) @ torch.ones(64, 64)
    config = torch.__config__.show()

    def found(pattern: str) -> str:
        match = re.search(pattern, config)
        return match[1] if match else "unknown"

    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "pillow": PIL.__version__,
        "libjpeg": jpeg,
        "numpy": numpy.__version__,
        "blas": blas(config),
        "onednn": found(r"MKL-DNN v(\S+)"),
        "cpu": found(r"CPU capability usage: (\S+)"),
    }
    print(json.dumps(versions))


main()
