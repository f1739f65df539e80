"""GPT-2 in plain PyTorch, to compare with: it shares no line with the worker.

Every intermediate result is there to be looked at; how it is asked is in ``reference_text.py``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

# Run by its path with -I, which leaves the script's directory out of sys.path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
import torch.nn.functional as F
from torch import Tensor

import reference_text
from reference_tokens import PlainTokens

Past = list[tuple[Tensor, Tensor]]


class PlainGpt2:
    """The network as a table of tensors and a few functions."""

    def __init__(self, args: argparse.Namespace) -> None:
        config: dict[str, Any] = json.loads(Path(args.config).read_text("utf-8"))
        self.layers: int = config["n_layer"]
        self.heads: int = config["n_head"]
        self.epsilon: float = config.get("layer_norm_epsilon", 1e-5)
        self.state = reference_text.read_state(args)
        # What transformers does, by its versions: to 4.52, which fit torch before 2.1, the head is over all
        # rows of the prompt; from 5.4 on, which wants torch 2.4, scores are multiplied instead of divided.
        version = tuple(int(part) for part in torch.__version__.split(".")[:2])
        self.head = args.head or ("all" if version < (2, 1) else "last")
        self.scores = args.scores or ("divide" if version < (2, 4) else "multiply")
        self.about = {"head": self.head, "scores": self.scores}

    # --- the network ----------------------------------------------------------------------------------------

    def linear(self, name: str, x: Tensor) -> Tensor:
        rows, weight = x.reshape(-1, x.shape[-1]), self.state[f"{name}.weight"]
        return torch.addmm(self.state[f"{name}.bias"], rows, weight).reshape(*x.shape[:-1], -1)

    def norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return F.layer_norm(x, (x.shape[-1],), weight, bias, self.epsilon)

    def attend(self, layer: int, x: Tensor, past: Past) -> tuple[Tensor, Tensor]:
        """What the layer's attention gives, and who looks at whom; ``past`` grows by the tokens of x."""
        width = x.shape[-1]
        projected = self.linear(f"h.{layer}.attn.c_attn", x).split(width, dim=-1)
        q, k, v = (
            part.unflatten(-1, (self.heads, width // self.heads)).transpose(1, 2) for part in projected
        )
        if layer < len(past):
            k, v = torch.cat([past[layer][0], k], dim=2), torch.cat([past[layer][1], v], dim=2)
            past[layer] = (k, v)
        else:
            past.append((k, v))
        score = q @ k.transpose(2, 3)
        root = math.sqrt(width // self.heads)
        score = score * (1 / root) if self.scores == "multiply" else score / torch.tensor(root)
        ahead = torch.ones(score.shape[2:]).triu(1 + k.shape[2] - q.shape[2]).bool()
        weights = score.masked_fill(ahead, torch.finfo(torch.float32).min).softmax(dim=-1)
        joined = (weights @ v).transpose(1, 2).reshape(x.shape)
        return self.linear(f"h.{layer}.attn.c_proj", joined), weights

    def think(self, layer: int, x: Tensor) -> Tensor:
        """The layer's MLP; its GELU is OpenAI's, term by term."""
        x = self.linear(f"h.{layer}.mlp.c_fc", x)
        curve = torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3.0)))
        return self.linear(f"h.{layer}.mlp.c_proj", 0.5 * x * (1.0 + curve))

    def run(self, ids: list[int], past: Past) -> dict[str, Tensor]:
        """One pass over the ids behind ``past``; the last stage is ``norm``."""
        first = past[0][0].shape[2] if past else 0
        tokens = F.embedding(torch.tensor([ids]), self.state["wte.weight"])
        positions = F.embedding(torch.tensor([range(first, first + len(ids))]), self.state["wpe.weight"])
        stages = {"tokenEmbeddings": tokens, "positionEmbeddings": positions}
        x = tokens + positions
        for layer in range(self.layers):
            attended, stages[f"attention.{layer}"] = self.attend(layer, self.norm(f"h.{layer}.ln_1", x), past)
            x = x + attended
            x = x + self.think(layer, self.norm(f"h.{layer}.ln_2", x))
            stages[f"hidden.{layer}"] = x
        stages["norm"] = self.norm("ln_f", x)
        return stages

    def logits(self, norm: Tensor) -> Tensor:
        return F.linear(norm, self.state["wte.weight"])

    # --- what is asked --------------------------------------------------------------------------------------

    @torch.no_grad()
    def inspect(self, ids: list[int]) -> dict[str, Tensor]:
        stages = self.run(ids, [])
        stages["logits"] = self.logits(stages["norm"])
        return {name: stage[0] for name, stage in stages.items()}

    @torch.no_grad()
    def generate(self, ids: list[int], how: dict[str, Any]) -> tuple[list[int], list[Tensor]]:
        """The new tokens, and of each the logits that it was chosen by."""
        random = torch.Generator().manual_seed(how["seed"])
        past: Past = []
        given, tokens, kept = list(ids), list[int](), list[Tensor]()
        while len(tokens) < how["maxTokens"] and not (tokens and tokens[-1] in how["stopIds"]):
            norm = self.run(given, past)["norm"]
            rows = self.logits(norm if self.head == "all" else norm[:, -1:])
            kept.append(rows[0, -1])
            given = [choose(kept[-1], ids + tokens, how, random)]
            tokens += given
        return tokens, kept


def choose(logits: Tensor, before: list[int], how: dict[str, Any], random: torch.Generator) -> int:
    """A token by logits [V], after those before it."""
    scores = logits.clone()
    for token, value in how["bias"]:
        scores[token] += value
    penalty = how["repetitionPenalty"]
    if penalty != 1:
        for token in set(before):
            scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty
    if how["temperature"] == 0:
        return int(scores.argmax())
    scores = scores / how["temperature"]
    if 0 < how["topK"] < len(scores):
        scores[scores < scores.topk(how["topK"]).values[-1]] = -math.inf
    if how["topP"] < 1:
        order = scores.sort()
        tail = order.values.softmax(0).cumsum(0) <= 1 - how["topP"]
        scores[order.indices[:-1][tail[:-1]]] = -math.inf
    if how["minP"] > 0:
        probabilities = scores.softmax(0)
        small = probabilities < how["minP"] * probabilities.max()
        small[probabilities.argmax()] = False
        scores[small] = -math.inf
    return int(torch.multinomial(scores.softmax(0), 1, generator=random))


if __name__ == "__main__":
    sys.exit(reference_text.serve(__doc__.splitlines()[0], PlainGpt2, PlainTokens))
