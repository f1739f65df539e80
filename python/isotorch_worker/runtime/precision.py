"""What may be traded for speed; ``exact`` trades nothing and leaves every default of PyTorch as it is."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from isotorch_worker.pictures.spec import Sides, sides
from isotorch_worker.protocol.errors import CheckpointMismatch, InvalidOption
from isotorch_worker.runtime.graphs import CudaCapture, Graphed

# Fusing may round otherwise, never by more than this part of the largest logit.
_CLOSE = 1e-3

Log = Callable[[str, str], None]


def apply_precision(
    network: nn.Module, precision: str, device: torch.device, crop: Sides = 224, log: Log | None = None
) -> nn.Module:
    """The network for ``precision`` on ``device``: ``exact`` is the network itself, the others are copies.

    ``fused`` folds each BatchNorm into its convolution and lets oneDNN fuse what follows it; ``bf16`` and
    ``fp16`` fold and lower the arithmetic. On a GPU the last two are ``channels_last``, and all three are
    replayed as CUDA graphs where that is faster. Logits stay float32. ``log`` hears (level, text).
    Raises InvalidOption where the device cannot do it, CheckpointMismatch where a weight is too large for it.
    """
    tell = log or (lambda _level, _text: None)
    if precision == "exact":
        return network.to(device)
    if precision == "fp16" and device.type == "cpu":
        raise InvalidOption("precision: fp16 needs a GPU", "use 'fused' on the CPU")
    noise = torch.randn(1, 3, *sides(crop), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network(noise)
    folded = _folded(network, noise, wanted, tell)
    if precision == "fused":
        faster = _fuse(folded, noise, wanted, tell) if device.type == "cpu" else folded.to(device)
    else:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float16
        faster = _Lowered(folded, dtype, device)
    return faster if device.type == "cpu" else Graphed(faster, CudaCapture(tell))


def caution(precision: str, device: torch.device) -> str | None:
    """What should be said to somebody who asks for this precision on this device; None if nothing."""
    if precision != "bf16" or device.type != "cpu":
        return None
    flags = _cpu_flags()
    if flags is None or flags & {"avx512_bf16", "amx_bf16"}:
        return None
    return (
        "bf16 is slower than fp32 here, many times so: this CPU has neither AVX512-BF16 nor AMX; "
        "precision 'fused' is the fastest on it"
    )


class _Lowered(nn.Module):
    def __init__(self, network: nn.Module, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        # Tensor cores read channels_last; on a CPU it wins nothing.
        self.layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self.network = network.to(device=device, dtype=dtype, memory_format=self.layout)
        self.dtype = dtype
        _check_fits(self.network, str(dtype).rpartition(".")[2])

    def forward(self, batch: Tensor) -> Tensor:
        return self.network(batch.to(self.dtype, memory_format=self.layout)).float()


def _folded(network: nn.Module, noise: Tensor, wanted: Tensor, tell: Log) -> nn.Module:
    """A copy with each BatchNorm folded into its convolution, where that still gives what is ``wanted``."""
    folded = _fold(copy.deepcopy(network))
    _check_fits(folded, "float32 with BatchNorm folded")
    with torch.no_grad():
        difference = _difference(folded(noise), wanted)
    if difference <= _CLOSE:
        return folded
    tell("warning", f"no BatchNorm is folded: the logits of noise were off by {difference} of the largest")
    return copy.deepcopy(network)


def _fuse(folded: nn.Module, noise: Tensor, wanted: Tensor, tell: Log) -> nn.Module:
    """Convolution, addition and ReLU in one oneDNN call each, by TorchScript's own passes.

    Method: trace, freeze, ``torch.jit.optimize_for_inference``. Where that fails or computes something else
    than the original network, which gave ``wanted``, the folded network is returned, which is fused less, and
    ``tell`` hears why.
    """
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Newer versions call TorchScript deprecated; it is what has these passes without a compiler.
            warnings.simplefilter("ignore")
            traced = torch.jit.freeze(torch.jit.trace(folded, noise, check_trace=False))
            fused: nn.Module = torch.jit.optimize_for_inference(traced)
            difference = _difference(fused(noise), wanted)
            if not difference <= _CLOSE:
                raise RuntimeError(f"the logits of noise are off by {difference}")
            return fused
    except Exception as error:
        # Optimisers fail in ways of their own; whatever it was, the folded network computes the same.
        tell("warning", f"fused: only BatchNorm is folded, TorchScript failed: {str(error).splitlines()[:1]}")
        return folded


def _difference(made: Tensor, wanted: Tensor) -> float:
    """The largest difference, as a part of the largest value."""
    return float((made - wanted).abs().max()) / float(wanted.abs().max())


def _check_fits(network: nn.Module, kind: str) -> None:
    """Raises CheckpointMismatch where a value that was finite is not any more."""
    for key, value in network.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointMismatch(
                f"the checkpoint has values in {key} that are beyond {kind}", "use precision 'exact'"
            )


def _cpu_flags() -> set[str] | None:
    """The CPU's features as Linux lists them for x86; None elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return None
    lines = [line for line in text.splitlines() if line.startswith("flags")]
    return set(lines[0].split(":", 1)[1].split()) if lines else None


def _fold(module: nn.Module) -> nn.Module:
    """Fold in place each BatchNorm that follows its convolution among its siblings, as torchvision's do."""
    previous: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and previous is not None and isinstance(previous[1], nn.Conv2d):
            setattr(module, previous[0], fuse_conv_bn_eval(previous[1], child))
            setattr(module, name, nn.Identity())
        else:
            _fold(child)
        previous = (name, child)
    return module
