"""Writes checkpoints/networks.json of the worker: head, fingerprint and first version of each classifier.

    python3 write_networks.py

With a torchvision that has all 80. Every network is built once, without its random initialisation.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# Run by its path.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torchvision.models
from torch import nn

from isotorch_worker.checkpoints.networks import AUXILIARY, fingerprint
from isotorch_worker.runtime.build import without_initialisation

WORKER = Path(__file__).resolve().parents[1] / "isotorch_worker"
# Later than the first version that has named weights.
_SINCE = {"maxvit_t": "0.14", "swin_v2_b": "0.14", "swin_v2_s": "0.14", "swin_v2_t": "0.14"}
_FIRST = "0.13"
_CLASSES = 1000


def main() -> None:
    """Build each, and write the file anew."""
    table = {name: _about(name) for name in sorted(torchvision.models.list_models(torchvision.models))}
    lines = [f"  {json.dumps(name)}: {json.dumps(about)}" for name, about in table.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (WORKER / "checkpoints" / "networks.json").write_text(text, "utf-8")


def _about(name: str) -> list[str]:
    with without_initialisation():
        network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=_CLASSES)
    head = head_of(network)
    shapes = {
        key: tuple(value.shape)
        for key, value in network.state_dict().items()
        if not key.startswith((f"{head}.", *AUXILIARY))
    }
    return [head, fingerprint(shapes), _SINCE.get(name, _FIRST)]


def head_of(network: nn.Module) -> str:
    """The last layer with as many outputs as there are classes."""

    def outputs(module: Any) -> int | None:
        if isinstance(module, nn.Linear):
            return module.out_features
        return module.out_channels if isinstance(module, nn.Conv2d) else None

    *_, last = (name for name, module in network.named_modules() if outputs(module) == _CLASSES)
    return last


if __name__ == "__main__":
    main()
