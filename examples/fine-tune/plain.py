"""The plain torchvision loop over a tree of pictures, to compare with: it knows nothing of isotorch.

    python3 plain.py OUT [--threads N]

Reads OUT/fashion.pth and OUT/transforms.json, classifies each picture of OUT/t10k alone, prints the accuracy,
and writes the logits to OUT/logits.bin: float32, little-endian, [pictures, 10], in ImageFolder's order.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

# Threads that wait in a busy loop take what the others need; the bits are the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import torchvision
from torchvision import transforms
from torchvision.datasets import ImageFolder


def main() -> None:
    """Evaluate, and write the logits."""
    parser = argparse.ArgumentParser(description="Evaluate a network on a tree of pictures with torchvision.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    spec = json.loads((args.out / "transforms.json").read_text("utf-8"))
    preprocess = transforms.Compose(
        [
            transforms.Resize(spec["resize"], transforms.InterpolationMode(spec["interpolation"])),
            transforms.CenterCrop(spec["crop"]),
            transforms.ToTensor(),
            transforms.Normalize(spec["mean"], spec["std"]),
        ]
    )
    pictures = ImageFolder(str(args.out / "t10k"), preprocess)
    network = torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=10)
    network.load_state_dict(torch.load(args.out / "fashion.pth"))
    network.eval()

    rows = []
    correct = 0
    with torch.no_grad():
        for tensor, folder in pictures:
            logits = network(tensor.unsqueeze(0))[0]
            correct += int(logits.argmax()) == int(pictures.classes[folder])
            rows.append(logits.numpy())
    np.stack(rows).astype("<f4").tofile(args.out / "logits.bin")
    print(f"plain PyTorch: top-1 {100 * correct / len(rows):.3f} % ({correct} of {len(rows)})")


if __name__ == "__main__":
    main()
