"""Embeddings: what the head is given comes out beside the logits, of the same pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isotorch_worker.checkpoints.networks import NETWORKS


class HeadWithInput(nn.Module):
    """A network's head, whose output [N, C] is followed by its input: [N, C + D]."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, given: Tensor) -> Tensor:
        return torch.cat([self.head(given), _flat(given)], dim=1)


class ConvHeadWithInput(HeadWithInput):
    """The same where a convolution and what follows it are the head: of its input [N, D, H, W] the mean over
    each channel's places, by the pooling that the network has for its output."""

    def forward(self, given: Tensor) -> Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(given, 1)
        return torch.cat([_flat(self.head(given)), _flat(pooled)], dim=1)


def with_embedding(network: nn.Module, model: str) -> tuple[nn.Module, int]:
    """``network`` changed in place so that it answers logits and embedding, [N, C + D]; and D.

    Method: the head, which is the last layer of all but SqueezeNet, is wrapped; nothing else is touched, so
    that every bit of the logits stays what it was.
    """
    name = NETWORKS[model].head
    head = network.get_submodule(name)
    if isinstance(head, nn.Linear):
        size, wrapped = head.in_features, HeadWithInput(head)
    elif isinstance(head, nn.Conv2d):
        # Its activation and its pooling follow the convolution in the same Sequential.
        name = name.rpartition(".")[0]
        size, wrapped = head.in_channels, ConvHeadWithInput(network.get_submodule(name))
    else:
        raise TypeError(f"the head of {model} is a {type(head).__name__}")
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, wrapped)
    return network, size


def _flat(tensor: Tensor) -> Tensor:
    return tensor.flatten(1)
