"""Convolutions whose weights are laid out for oneDNN once instead of in every pass, where no bit changes.

Called without preparation, oneDNN reorders a convolution's weights each time: for resnet101 at batch 1 that
moves 170 MB before anything is computed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from isotorch_worker.pictures.spec import Sides, sides

_ENOUGH_VALUES = 2048


class PackedConv(nn.Module):
    """A convolution for pictures of one shape [C,H,W], any number of them; others take the ordinary way."""

    def __init__(self, conv: nn.Conv2d, shape: torch.Size) -> None:
        super().__init__()
        padding: Any = conv.padding
        self._sizes = (list(padding), list(conv.stride), list(conv.dilation), conv.groups)
        self._shape = shape
        self._bias = None if conv.bias is None else conv.bias.detach()
        # An attribute, not a buffer: state dicts and `to` know nothing of this layout.
        self._packed: Tensor = torch._C._nn.mkldnn_reorder_conv2d_weight(  # pyright: ignore
            conv.weight.detach().to_mkldnn(), *self._sizes
        )

    def forward(self, batch: Tensor) -> Tensor:
        padding, stride, dilation, groups = self._sizes
        if batch.shape[1:] != self._shape:
            return nn.functional.conv2d(
                batch, self._packed.to_dense(), self._bias, stride, padding, dilation, groups
            )
        return torch.mkldnn_convolution(batch, self._packed, self._bias, padding, stride, dilation, groups)

    def holds(self, weight: Tensor) -> bool:
        """Whether ``weight`` can be had back from it, bit for bit."""
        return torch.equal(self._packed.to_dense(), weight)


def pack(network: nn.Module, crop: Sides) -> tuple[int, int]:
    """Pack the convolutions of ``network`` in place; how many, and of how many.

    One pass over noise compares each packed convolution with the ordinary one, on what that layer is given;
    it is taken only where every bit is the same. The memory stays what it was, one layer's weights apart.
    """
    names = [name for name, module in network.named_modules() if type(module) is nn.Conv2d]
    if not names:
        return 0, 0
    packed: list[str] = []

    def try_layer(name: str, conv: nn.Conv2d, given: tuple[Tensor, ...], output: Tensor) -> None:
        candidate = _attempt(conv, given[0], output)
        if candidate is not None:
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, candidate)
            packed.append(name)

    # Nothing here holds a convolution: its weights are given back as soon as they are packed.
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda module, given, output, name=name: try_layer(name, module, given, output)
        )
        for name in names
    ]
    noise = torch.randn(1, 3, *sides(crop), generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            network(noise)
    finally:
        for hook in hooks:
            hook.remove()
    return len(packed), len(names)


def _attempt(conv: nn.Conv2d, given: Tensor, output: Tensor) -> PackedConv | None:
    plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    if not plain or given.device.type != "cpu" or given.dtype != torch.float32:
        return None
    try:
        candidate = PackedConv(conv, given.shape[1:])
        if torch.equal(candidate(given), output) and candidate.holds(conv.weight):
            return candidate if _is_same(conv, candidate, given, output.numel()) else None
    except (AttributeError, RuntimeError, TypeError):
        # A build without oneDNN, or one whose functions are called otherwise.
        pass
    return None


def _is_same(conv: nn.Conv2d, candidate: PackedConv, given: Tensor, values: int) -> bool:
    """Whether noise gives the same bits, too, where the layer has few outputs: these can be equal by chance
    although another way adds in another order."""
    noise = torch.Generator().manual_seed(0)
    for _ in range(-(-_ENOUGH_VALUES // values) if values < _ENOUGH_VALUES else 0):
        other = torch.randn(given.shape, generator=noise)
        # Without its hook, which called this.
        if not torch.equal(candidate(other), conv.forward(other)):
            return False
    return True
