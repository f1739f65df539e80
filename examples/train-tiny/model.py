"""GPT-2 in plain PyTorch, with the names that its parameters have in transformers and in OpenAI's file.

Token ids [batch, time] go in. For each of them come out the scores ("logits") of every token of the
vocabulary, as the one that follows: [batch, time, vocabulary].
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# As transformers writes it beside a checkpoint, so that everybody can read what the network is.
CONFIG = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new",
    "n_layer": 4,
    "n_head": 6,
    "n_embd": 192,
    "n_inner": None,
    "n_positions": 128,
    "vocab_size": 3072,
    "layer_norm_epsilon": 1e-05,
    "initializer_range": 0.02,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "tie_word_embeddings": True,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
    "resid_pdrop": 0.0,
    # There are no special tokens: a text has no end of its own.
    "bos_token_id": None,
    "eos_token_id": None,
}


class Conv1D(nn.Module):
    """A linear layer. GPT-2 keeps its weight as [in, out], the other way round than ``nn.Linear``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs).normal_(std=CONFIG["initializer_range"]))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class Attention(nn.Module):
    """Each token looks at itself and at those before it, in several heads at once."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        width = config["n_embd"]
        self.heads = config["n_head"]
        self.c_attn = Conv1D(width, 3 * width)
        self.c_proj = Conv1D(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        size = width // self.heads
        # What each token asks for, what it offers, and what it tells: [batch, head, time, size].
        query, key, value = (
            part.view(batch, time, self.heads, size).transpose(1, 2)
            for part in self.c_attn(x).split(width, dim=-1)
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(size)
        future = torch.ones(time, time, dtype=torch.bool).triu(1)
        # A softmax makes shares of the scores, which add up to 1; the future has none.
        shares = scores.masked_fill(future, -math.inf).softmax(dim=-1)
        told = (shares @ value).transpose(1, 2).reshape(batch, time, width)
        return self.c_proj(told)


class MLP(nn.Module):
    """What each token makes of what it was told, by itself."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        width = config["n_embd"]
        self.c_fc = Conv1D(width, 4 * width)
        self.c_proj = Conv1D(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(gelu_new(self.c_fc(x)))


class Block(nn.Module):
    """A layer: attention and MLP, each adding to what was there."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config["n_embd"], eps=config["layer_norm_epsilon"])
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config["n_embd"], eps=config["layer_norm_epsilon"])
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """The whole network, with random weights until it is trained or loaded."""

    def __init__(self, config: dict) -> None:
        super().__init__()
        std = config["initializer_range"]
        self.context = config["n_positions"]
        self.wte = nn.Embedding(config["vocab_size"], config["n_embd"])
        self.wpe = nn.Embedding(config["n_positions"], config["n_embd"])
        self.h = nn.ModuleList(Block(config) for _ in range(config["n_layer"]))
        self.ln_f = nn.LayerNorm(config["n_embd"], eps=config["layer_norm_epsilon"])
        nn.init.normal_(self.wte.weight, std=std)
        nn.init.normal_(self.wpe.weight, std=std)
        # Each layer adds twice; so that the sum does not grow with the layers, what is added begins smaller.
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(parameter, std=std / math.sqrt(2 * config["n_layer"]))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.h:
            x = block(x)
        # The head is the embedding once more: a token's score is how much x looks like it.
        return F.linear(self.ln_f(x), self.wte.weight)


def gelu_new(x: Tensor) -> Tensor:
    """GPT-2's smooth step: about 0 below zero, about x above."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def save(network: GPT2, path: Path) -> None:
    """Write a safetensors file in half precision.

    That is the length of a header, the header as JSON, and the bytes of the tensors one behind the other.
    """
    header: dict = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, tensor in network.state_dict().items():
        values = tensor.numpy().astype("<f2").tobytes()
        place = [len(data), len(data) + len(values)]
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": place}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def load(path: Path, config: dict) -> GPT2:
    """The network of a file that ``save`` has written; it computes in float32."""
    network = GPT2(config)
    file = path.read_bytes()
    start = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:start])
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = np.frombuffer(file[start + begin : start + end], "<f2").astype(np.float32)
        state[name] = torch.from_numpy(values).view(entry["shape"])
    network.load_state_dict(state)
    return network
