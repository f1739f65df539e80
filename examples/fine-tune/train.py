"""Train torchvision's shufflenet_v2_x0_5 on Fashion-MNIST, and save it as one does.

    python3 train.py OUT [--data DIR] [--epochs N] [--most N]

Writes OUT/fashion.pth (its state dict), OUT/labels.txt (ten lines, in the order of the outputs) and
OUT/transforms.json (the preprocessing that it learnt with). Seeded.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

# Threads that wait in a busy loop take what the others need; the bits are the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import torchvision
from fashion import DATA, LABELS, read
from PIL import Image
from torch import Tensor, nn

SIDE = 32
# Of the training pictures, on the 0..1 scale.
MEAN, STD = 0.286, 0.353
TRANSFORMS = {
    "resize": [SIDE, SIDE],
    "crop": [SIDE, SIDE],
    "interpolation": "bilinear",
    "mean": [MEAN] * 3,
    "std": [STD] * 3,
}
BATCH = 128
RATE = 4e-3


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description="Train a small network of torchvision's on Fashion-MNIST.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--most", type=int, default=None, metavar="N", help="so many pictures alone")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count() or 1)

    pictures, classes = read(args.data, "train")
    pixels = resized(pictures[: args.most])
    labels = torch.from_numpy(classes[: args.most].astype(np.int64))
    network = torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=len(LABELS))
    train(network, pixels, labels, args.epochs)

    args.out.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), args.out / "fashion.pth")
    (args.out / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), "utf-8")
    (args.out / "transforms.json").write_text(f"{json.dumps(TRANSFORMS)}\n", "utf-8")


def resized(pictures: np.ndarray) -> Tensor:
    """All of them once, as torchvision's Resize does it: uint8 [N,SIDE,SIDE]."""
    resize = torchvision.transforms.Resize((SIDE, SIDE))
    return torch.from_numpy(np.stack([np.asarray(resize(Image.fromarray(one))) for one in pictures]))


def train(network: nn.Module, pixels: Tensor, labels: Tensor, epochs: int) -> None:
    """AdamW with one cycle of its rate; pictures are mirrored by chance."""
    steps = -(-len(labels) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs=epochs, steps_per_epoch=steps)
    network.train()
    for epoch in range(1, epochs + 1):
        started = time.monotonic()
        total = 0.0
        for chosen in torch.randperm(len(labels)).split(BATCH):
            batch = normalised(pixels[chosen])
            if torch.rand(()) < 0.5:
                batch = batch.flip(-1)
            loss = nn.functional.cross_entropy(network(batch), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
            total += float(loss) * len(chosen)
        seconds = time.monotonic() - started
        print(f"epoch {epoch}: loss {total / len(labels):.4f}, {seconds:.0f} s", flush=True)


def normalised(pixels: Tensor) -> Tensor:
    """Grey bytes [N,H,W] as three equal channels, as ToTensor and Normalize make them of an RGB picture."""
    return pixels.float().div(255).sub(MEAN).div(STD).unsqueeze(1).expand(-1, 3, -1, -1)


if __name__ == "__main__":
    main()
