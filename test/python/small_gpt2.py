"""A small GPT-2 whose every value is drawn, as files and as the worker's network: shared by its tests."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isotorch_worker.checkpoints.reader import read_contents
from isotorch_worker.tasks.text_generation.config import Config
from isotorch_worker.tasks.text_generation.gpt2 import Gpt2
from isotorch_worker.tasks.text_generation.reference import reference_for
from isotorch_worker.tasks.text_generation.weights import fill

# A head's size, 24, has a square root that rounds.
CONFIG = Config(3, 2, 48, 48, 101, 192, 1e-5)
JSON: dict[str, Any] = {
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "n_layer": 3,
    "n_head": 2,
    "n_embd": 48,
    "n_positions": 48,
    "vocab_size": 101,
    "layer_norm_epsilon": 1e-05,
}
_KINDS = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def drawn(config: Config = CONFIG, seed: int = 5) -> dict[str, Tensor]:
    """A state dict by the names of GPT2Model, no bias 0 and no norm 1."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for name, shape in config.shapes().items():
        is_norm = "ln_" in name and name.endswith(".weight")
        state[name] = 0.2 * torch.randn(shape, generator=generator) + (1 if is_norm else 0)
    return state


def safetensors(state: Mapping[str, Tensor]) -> bytes:
    """The file of a state dict, written by the format's description."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    values = bytearray()
    for name, value in state.items():
        raw = value.contiguous().reshape(-1).view(torch.uint8) if value.numel() else torch.empty(0)
        data = raw.numpy().tobytes()
        place = [len(values), len(values) + len(data)]
        header[name] = {"dtype": _KINDS[value.dtype], "shape": list(value.shape), "data_offsets": place}
        values += data
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(values)


def network(state: Mapping[str, Tensor] | None = None, **changes: Any) -> Gpt2:
    """The worker's, of this torch's reference but for ``changes``."""
    data = safetensors(drawn() if state is None else state)
    reference = reference_for(torch.__version__)._replace(**changes)
    return fill(read_contents(memoryview(bytearray(data))), CONFIG, reference)[0]


def files(folder: Path, state: Mapping[str, Tensor] | None = None) -> argparse.Namespace:
    """Checkpoint and config.json in ``folder``, as the references take them."""
    checkpoint, config = folder / "model.safetensors", folder / "config.json"
    checkpoint.write_bytes(safetensors(drawn() if state is None else state))
    config.write_text(json.dumps(JSON))
    return argparse.Namespace(
        checkpoint=str(checkpoint), config=str(config), sha256=None, head=None, scores=None
    )


def masks(
    layers: int = CONFIG.layers, side: int = CONFIG.positions, dtype: Any = torch.uint8
) -> dict[str, Tensor]:
    """The constants that files have which older versions wrote."""
    triangle = torch.tril(torch.ones(side, side)).to(dtype).reshape(1, 1, side, side)
    state = {f"h.{layer}.attn.bias": triangle for layer in range(layers)}
    state.update({f"h.{layer}.attn.masked_bias": torch.tensor(-1e4) for layer in range(layers)})
    return state


def naive_logits(state: Mapping[str, Tensor], ids: list[int]) -> Tensor:
    """GPT-2 by loops over tokens and heads in float64: what it means, not how it rounds. [T, V]"""
    value = {name: tensor.double() for name, tensor in state.items()}
    size = CONFIG.width // CONFIG.heads

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean()
        scaled = centred / torch.sqrt((centred**2).mean() + CONFIG.epsilon)
        return scaled * value[f"{name}.weight"] + value[f"{name}.bias"]

    rows = [value["wte.weight"][token] + value["wpe.weight"][at] for at, token in enumerate(ids)]
    for layer in range(CONFIG.layers):
        h = f"h.{layer}"
        parts = [
            norm(f"{h}.ln_1", x) @ value[f"{h}.attn.c_attn.weight"] + value[f"{h}.attn.c_attn.bias"]
            for x in rows
        ]
        query, key, seen = ([part[i * CONFIG.width :][: CONFIG.width] for part in parts] for i in range(3))
        after: list[Tensor] = []
        for at, x in enumerate(rows):
            heads: list[Tensor] = []
            for head in range(CONFIG.heads):
                span = slice(head * size, (head + 1) * size)
                scores = [
                    float(query[at][span] @ key[other][span]) / math.sqrt(size) for other in range(at + 1)
                ]
                weights = [math.exp(score - max(scores)) for score in scores]
                heads.append(sum(weight * seen[i][span] for i, weight in enumerate(weights)) / sum(weights))
            attended = torch.cat(heads) @ value[f"{h}.attn.c_proj.weight"] + value[f"{h}.attn.c_proj.bias"]
            x = x + attended
            inner = norm(f"{h}.ln_2", x) @ value[f"{h}.mlp.c_fc.weight"] + value[f"{h}.mlp.c_fc.bias"]
            curve = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
            after.append(x + curve @ value[f"{h}.mlp.c_proj.weight"] + value[f"{h}.mlp.c_proj.bias"])
        rows = after
    return torch.stack([norm("ln_f", x) @ value["wte.weight"].T for x in rows])
