"""Pictures side by side on the CPU against one by one and in one batch: their bits, and pictures per second.

    python3 bench/lanes.py [exact|fused]

Two threads, random weights and random pictures; each figure is the median of three rounds in turns. Any
Python with torch and torchvision will do.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from statistics import median

# As the worker sets them, before torch loads its OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import torch
import torchvision

from isotorch_worker.runtime.lanes import Lanes
from isotorch_worker.runtime.pack import pack
from isotorch_worker.runtime.precision import apply_precision

THREADS, PICTURES, BATCH = 2, 24, 4


def main(precision: str) -> None:
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    network = apply_precision(torchvision.models.resnet101().eval(), precision, torch.device("cpu"))
    if precision == "exact":
        packed, of = pack(network, 224)
        print(f"{packed} of {of} convolutions packed")
    batch = torch.randn(BATCH, 3, 224, 224)
    lanes = Lanes(network, THREADS, BATCH)
    ways = {
        "one by one": lambda: torch.cat([network(row) for row in batch.split(1)]),
        "in one batch": lambda: network(batch),
        "side by side": lambda: lanes(batch),
    }
    with torch.inference_mode():
        alone = ways["one by one"]()
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(3):
            for name, compute in ways.items():
                began = time.perf_counter()
                for _ in range(PICTURES // BATCH):
                    compute()
                rates[name].append(PICTURES / (time.perf_counter() - began))
        for name, compute in ways.items():
            bits = "the same bits as alone" if torch.equal(compute(), alone) else "other bits than alone"
            print(f"torch {torch.__version__}, {precision}, {name}: {median(rates[name]):.2f}/s, {bits}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "exact")
