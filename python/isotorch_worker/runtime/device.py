"""Which device computes, and with how many threads."""

from __future__ import annotations

import math
import re
import warnings

import torch
import torch.version

from isotorch_worker.pictures.spec import Sides, sides
from isotorch_worker.protocol.errors import DeviceUnavailable, InvalidOption

CPU_BATCH = 4
GPU_BATCH = 32
_WORKSPACE_BYTES = 512 * 1024**2
# Activations that live at the same time take 13 MiB in float32; the rest is for what cuDNN asks for.
_PICTURE_BYTES = 48 * 1024**2
_MEMORY_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "CUDNN_STATUS_ALLOC_FAILED")


def select_device(wanted: str) -> tuple[torch.device, str, str]:
    """The device for ``cpu``, ``cuda``, ``cuda:N`` or ``auto``; returns it, its name, and why it was chosen.

    A CUDA device has run a real kernel when this returns. ``auto`` takes the first CUDA device that can do
    that, else the CPU, and the reason says what was wrong. Raises DeviceUnavailable or InvalidOption.
    """
    if wanted == "cpu":
        return torch.device("cpu"), "cpu", "asked for"
    if wanted == "auto":
        try:
            device, name = _usable_cuda(0)
        except DeviceUnavailable as error:
            return torch.device("cpu"), "cpu", error.message
        return device, name, "the first CUDA device, it answered"
    match = re.fullmatch(r"cuda(?::(\d{1,3}))?", wanted)
    if match is None:
        raise InvalidOption(f"device: expected auto, cpu, cuda or cuda:N, received {wanted}")
    device, name = _usable_cuda(int(match.group(1) or 0))
    return device, name, "asked for"


def largest_batch(device: torch.device, crop: Sides) -> int:
    """How many pictures of ``crop``, as a spec has it, at once are sensible; the weights are there already.

    On a CPU 4: more wins nothing, and each of them waits for all. On a GPU what fits into four fifths of the
    free memory, after 512 MiB for the libraries' own work space, at most 32: see docs/performance.md.
    """
    if device.type == "cpu":
        return CPU_BATCH
    free, _ = torch.cuda.mem_get_info(device)
    room = int(free * 0.8) - _WORKSPACE_BYTES
    return min(max(room // int(_PICTURE_BYTES * math.prod(sides(crop)) / 224**2), 1), GPU_BATCH)


def is_broken(device: torch.device) -> bool:
    """Whether a CUDA device no longer answers in this process, as after an illegal memory access."""
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory; before 1.13 it said so in the text of a RuntimeError only."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _MEMORY_PHRASES)


def _usable_cuda(index: int) -> tuple[torch.device, str]:
    if torch.version.cuda is None:
        raise DeviceUnavailable(
            "this build of PyTorch has no CUDA", "install a CUDA build, or use device 'cpu'"
        )
    count, complaint = _count_devices()
    if count == 0:
        raise DeviceUnavailable(
            f"PyTorch was built for CUDA {torch.version.cuda} and finds no device{complaint}",
            "check that nvidia-smi lists the GPU and that its driver is new enough, or use device 'cpu'",
        )
    if index >= count:
        raise DeviceUnavailable(
            f"there is no cuda:{index}, only {count} CUDA devices", "use a smaller number"
        )
    device = torch.device("cuda", index)
    name = torch.cuda.get_device_name(device)
    try:
        run_kernel(device)
    except RuntimeError as error:
        major, minor = torch.cuda.get_device_capability(device)
        raise DeviceUnavailable(
            f"{name} (sm_{major}{minor}) does not compute: {str(error).splitlines()[0]}",
            f"this build of PyTorch is for {', '.join(torch.cuda.get_arch_list()) or 'no architecture'}; "
            "install one for this GPU, or use device 'cpu'",
        ) from None
    return device, name


def _count_devices() -> tuple[int, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
        count = torch.cuda.device_count() if available else 0
    complaint = f": {str(caught[0].message).splitlines()[0]}" if caught else ""
    return count, complaint


def run_kernel(device: torch.device) -> None:
    """Compute a small convolution there; raises RuntimeError where it fails or is wrong."""
    picture = torch.ones(1, 3, 8, 8, device=device)
    kernel = torch.ones(4, 3, 3, 3, device=device)
    answer = torch.nn.functional.conv2d(picture, kernel)
    if float(answer[0, 0, 0, 0].item()) != 27.0:
        raise RuntimeError("a convolution gave a wrong answer")
