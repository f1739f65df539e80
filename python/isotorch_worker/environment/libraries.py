"""The native libraries that PyTorch computes with here, and the environment's settings that reach them."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from isotorch_worker.protocol.schema import clip

# What each tells its library: which kernels to take, or how exactly to compute.
SETTINGS = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_DYNAMIC",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
# All of them together take less than half of a header.
_SETTING_BYTES = 48
_LIBRARY_BYTES = 120
_KINDS = (
    ("OpenBLAS", "openblas"),
    ("MKL", "mkl"),
    ("ATLAS", "atlas"),
    ("BLIS", "blis"),
    ("NVPL", "nvpl_blas"),
    ("Arm Performance Libraries", "armpl"),
    ("Accelerate", "accelerate"),
)
_BLAS = re.compile(r"lib(c?blas|openblas|mkl_(rt|core)|blis|atlas|tatlas|satlas|armpl|nvpl_blas|flexiblas)")
_OPENMP = re.compile(r"lib(gomp|iomp5|omp)\b")
# NumPy and SciPy from PyPI bring a BLAS of their own, which PyTorch does not see.
_OTHERS = re.compile(r"/(numpy|scipy)[^/]*(\.libs|/\.dylibs)/")


def settings() -> dict[str, str]:
    """Those of ``SETTINGS`` that are set, by ``env.`` and their name."""
    return {f"env.{name}": clip(os.environ[name], _SETTING_BYTES) for name in SETTINGS if name in os.environ}


def math_libraries(config: str, maps: Path = Path("/proc/self/maps")) -> dict[str, str]:
    """``blas``, ``mkl`` and ``openmp``: what is loaded, as far as the system tells, else what was built in.

    ``config`` is what ``torch.__config__.show()`` says. On Linux a distribution may put another BLAS behind
    the same name (Debian's alternatives): ``maps`` has the files that were really opened.
    """
    loaded = _loaded(maps)
    mkl = re.search(r"Math Kernel Library Version ([\w.]+)", config)
    built = re.search(r"BLAS_INFO=(\w+)", config)
    blas = [path for path in loaded if _BLAS.match(path.name)]
    openmp = [path for path in loaded if _OPENMP.match(path.name)]
    if blas:
        said = _named(blas)
    elif mkl:
        said = f"MKL {mkl.group(1)}"
    else:
        said = built.group(1) if built else "unknown"
    # The number of OpenMP's standard, where no file tells whose it is.
    standard = re.search(r"OpenMP (\d+)", config)
    return {
        "blas": clip(said, _LIBRARY_BYTES),
        "mkl": mkl.group(1) if mkl else "none",
        "openmp": clip(
            ", ".join(path.name for path in openmp) or (standard.group(1) if standard else "none"),
            _LIBRARY_BYTES,
        ),
    }


def _loaded(maps: Path) -> list[PurePosixPath]:
    try:
        lines = maps.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    files = {fields[5] for fields in (line.split(maxsplit=5) for line in lines) if len(fields) == 6}
    return [PurePosixPath(file) for file in sorted(files) if not _OTHERS.search(file)]


def _named(files: list[PurePosixPath]) -> str:
    """Whose they are, and each with its last folder alone: the rest may name a person."""
    text = " ".join(str(path) for path in files).lower()
    kind = next((name for name, part in _KINDS if part in text), None)
    if kind is None:
        kind = "reference BLAS" if re.search(r"/libblas\.so", text) else "BLAS"
    return f"{kind}: {', '.join('/'.join(path.parts[-2:]) for path in files)}"
