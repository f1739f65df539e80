"""Fashion-MNIST: 70,000 pictures of clothes, 28 x 28, grey, in ten classes.

    python3 fashion.py OUT [--data DIR] [--most N]

Writes the test pictures as `OUT/<class number>/<number>.png`, as torchvision's ImageFolder wants them. The
data are those of Debian's package (apt-get install dataset-fashion-mnist), or the four files of
https://github.com/zalandoresearch/fashion-mnist in a directory of yours.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
from PIL import Image

DATA = Path("/usr/share/datasets/fashion-mnist")
LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def read(data: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 [N,28,28] and classes uint8 [N] of a part, `train` or `t10k`."""
    pictures = _idx(data / f"{part}-images-idx3-ubyte.gz", 3)
    classes = _idx(data / f"{part}-labels-idx1-ubyte.gz", 1)
    if len(pictures) != len(classes):
        raise ValueError(f"{data}: {len(pictures)} pictures of {part} have {len(classes)} labels")
    return pictures, classes


def write_pictures(pictures: np.ndarray, classes: np.ndarray, out: Path) -> None:
    """Each as a grey PNG in the folder of its class."""
    for number, (picture, label) in enumerate(zip(pictures, classes)):
        folder = out / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number:05}.png")


def _idx(file: Path, dimensions: int) -> np.ndarray:
    """Bytes as MNIST's files have them: 0, 0, the type, dimensions, each size as big-endian int32."""
    data = gzip.decompress(file.read_bytes())
    if data[:4] != bytes((0, 0, 8, dimensions)):
        raise ValueError(f"{file} is no IDX file of bytes in {dimensions} dimensions")
    start = 4 + 4 * dimensions
    sizes = np.frombuffer(data[4:start], ">i4")
    return np.frombuffer(data[start:], np.uint8).reshape(sizes)


def main() -> None:
    """Write the test pictures."""
    parser = argparse.ArgumentParser(description="Write Fashion-MNIST's test pictures into class folders.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--most", type=int, default=None, metavar="N")
    args = parser.parse_args()
    pictures, classes = read(args.data, "t10k")
    write_pictures(pictures[: args.most], classes[: args.most], args.out)
    print(f"{len(pictures[: args.most])} pictures in {args.out}")


if __name__ == "__main__":
    main()
