"""What may be traded for speed; ``exact`` trades nothing and leaves every default of PyTorch as it is."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from isotorch_worker.errors import InvalidOption


def apply_precision(network: nn.Module, precision: str, device: torch.device) -> nn.Module:
    """The network for ``precision``: ``exact`` is the network itself, the others are copies.

    ``fused`` folds each BatchNorm into its convolution; ``bf16`` and ``fp16`` also lower the arithmetic.
    Logits stay float32. Raises InvalidOption where the device cannot do it.
    """
    if precision == "exact":
        return network
    fused = _fold(copy.deepcopy(network))
    if precision == "fused":
        return fused
    if precision == "fp16" and device.type == "cpu":
        raise InvalidOption("precision: fp16 needs a GPU", "use 'bf16' or 'fused' on the CPU")
    return _Lowered(fused, torch.bfloat16 if precision == "bf16" else torch.float16)


class _Lowered(nn.Module):
    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network.to(dtype)
        self.dtype = dtype

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.network(batch.to(self.dtype)).float()


def _fold(module: nn.Module) -> nn.Module:
    """Fold in place. In torchvision's ResNet a BatchNorm follows its convolution among its siblings."""
    previous: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and previous is not None and isinstance(previous[1], nn.Conv2d):
            setattr(module, previous[0], fuse_conv_bn_eval(previous[1], child))
            setattr(module, name, nn.Identity())
        else:
            _fold(child)
        previous = (name, child)
    return module
