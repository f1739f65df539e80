"""What this interpreter really can, found out by importing everything and computing something."""

from __future__ import annotations

import ctypes
import importlib
import platform
import struct
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from isotorch_worker import lifetime
from isotorch_worker.environment.libraries import math_libraries
from isotorch_worker.environment.probe import PACKAGES, cpu_capability, onednn_version, probe
from isotorch_worker.environment.product import time_product
from isotorch_worker.imports import reason


def examine(device: str) -> dict[str, Any]:
    """What :func:`probe` says, what torch and Pillow were built with, a convolution on the device, and how
    long a product of matrices takes on the CPU.

    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. A failure is its message under ``errors``, by
    what was attempted; never an exception.
    """
    lifetime.report_crashes()
    errors: dict[str, str] = {}
    found: dict[str, Any] = probe()
    # A library that is missing shows at its import; torch comes first because the others import it too.
    for module in PACKAGES:
        _attempt(errors, module, lambda module=module: importlib.import_module(module))
    found["machine"] = _machine_facts()
    if "torch" not in errors:
        found["torch"] = _torch_facts(errors)
        _attempt(errors, "numpyBridge", _numpy_bridge)
        found["product"] = _attempt(errors, "product", time_product)
        found["kernel"] = _attempt(errors, "kernel", lambda: _run_kernel(device))
    found["pillow"] = _attempt(errors, "pillow", _pillow_facts)
    if not {"torch", "torchvision", "PIL", "numpy"} & set(errors):
        found["attestation"] = _attempt(errors, "attestation", _attestation)
    found["errors"] = errors
    return found


def _machine_facts() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "bits": 8 * struct.calcsize("P"),
        "translated": _is_translated(),
    }


def _is_translated() -> bool:
    """Whether macOS runs this interpreter, built for Intel, by way of Rosetta."""
    if sys.platform != "darwin":
        return False
    answer, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    name = b"sysctl.proc_translated"
    ctypes.CDLL(None).sysctlbyname(name, ctypes.byref(answer), ctypes.byref(size), None, 0)
    return answer.value == 1


def _torch_facts(errors: dict[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = _attempt(errors, "cuda", _cuda_facts) or {}
    facts["onednn"] = _attempt(errors, "onednn", onednn_version)
    facts["cpuCapability"] = _attempt(errors, "cpuCapability", cpu_capability)
    facts["blas"] = _attempt(errors, "blas", _blas)
    facts["defaultThreads"] = _attempt(errors, "defaultThreads", _default_threads)
    return facts


def _cuda_facts() -> dict[str, Any]:
    import torch
    import torch.version

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
        count = torch.cuda.device_count() if available else 0
        names = [torch.cuda.get_device_name(i) for i in range(count)]
        capabilities = [".".join(map(str, torch.cuda.get_device_capability(i))) for i in range(count)]
    return {
        "cuda": torch.version.cuda,
        "cudaAvailable": available,
        "cudaWarnings": [str(warning.message) for warning in caught],
        "archList": torch.cuda.get_arch_list() if available else [],
        "devices": names,
        "capabilities": capabilities,
    }


def _blas() -> str:
    import torch

    return math_libraries(torch.__config__.show())["blas"]


def _default_threads() -> int:
    import torch

    return torch.get_num_threads()


def _numpy_bridge() -> None:
    import numpy
    import torch

    torch.from_numpy(numpy.zeros(1, dtype=numpy.float32))


def _run_kernel(wanted: str) -> dict[str, Any]:
    from isotorch_worker.runtime.device import run_kernel, select_device

    device, name, reason = select_device(wanted)
    began = time.perf_counter()
    run_kernel(device)
    milliseconds = round(1000 * (time.perf_counter() - began), 3)
    return {"device": str(device), "name": name, "reason": reason, "milliseconds": milliseconds}


def _attestation() -> dict[str, str]:
    from isotorch_worker.pictures.attest import attestation
    from isotorch_worker.runtime.model import transforms_spec

    return attestation(transforms_spec("IMAGENET1K_V1"))


def _pillow_facts() -> dict[str, Any]:
    from PIL import features

    codecs = {name: features.version(name) for name in ("jpg", "jpg_2000", "zlib", "libtiff", "webp")}
    return {**codecs, "libjpegTurbo": features.version("libjpeg_turbo")}


def _attempt(errors: dict[str, str], name: str, action: Callable[[], Any]) -> Any:
    # If the process ends over it, this is what it was at.
    print(f"isotorch_worker: trying {name}", file=sys.stderr, flush=True)
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a library may call sys.exit, or panic in Rust
        errors[name] = f"{type(error).__name__}: {reason(error)}"
        return None
