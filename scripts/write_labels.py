"""Write models/imagenet_classes.txt: torchvision's 1,000 class names, one per line, in class order.

python3 scripts/write_labels.py
"""

from __future__ import annotations

from pathlib import Path

from torchvision.models import ResNet101_Weights

TARGET = Path(__file__).resolve().parent.parent / "models" / "imagenet_classes.txt"


def main() -> None:
    names = ResNet101_Weights.IMAGENET1K_V1.meta["categories"]
    TARGET.write_bytes("".join(f"{name}\n" for name in names).encode("utf-8"))


if __name__ == "__main__":
    main()
