"""Accuracy over an ImageFolder tree by plain torchvision, to compare with: it shares no line with isotorch.

    python3 eval_reference.py DIR --checkpoint FILE [--model NAME] [--classes N] [--spec JSON] [--labels FILE]
                              [--checkpoint-key KEY] [--prefix TEXT] [--threads N]

The network and its preprocessing are ``parity_reference.py``'s. Prints one JSON object: pictures, evaluated,
failed, correct1, correct5, top1, top5 (of those that could be read, 0 to 1; null where none could). A folder
is the class that its name says, as an index, a label, or ImageNet's synset where there are 1,000 classes;
otherwise ImageFolder's own numbering holds, for which there must be a folder for each class.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

# Run by its path with -I, which leaves the script's directory out of sys.path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from torchvision import datasets, transforms

from reference_checkpoint import Refusal, load
from reference_network import IMAGENET, build, fill, preprocessing, read_labels, read_spec

SYNSETS = Path(__file__).resolve().parents[1] / "models" / "imagenet_synsets.txt"


def class_numbers(folders: list[str], categories: list[str]) -> list[int]:
    """The network's class for each of ImageFolder's sorted folders."""
    if all(name.isdecimal() and int(name) < len(categories) for name in folders):
        return [int(name) for name in folders]
    if all(name in categories for name in folders):
        return [categories.index(name) for name in folders]
    synsets = SYNSETS.read_text("ascii").split() if len(categories) == IMAGENET else []
    if all(name in synsets for name in folders):
        return [synsets.index(name) for name in folders]
    if len(folders) != len(categories):
        sys.exit(f"{len(folders)} folders for {len(categories)} classes, and their names do not say which")
    return list(range(len(folders)))


def main() -> None:
    """Print the figures of one tree."""
    parser = argparse.ArgumentParser(description="top-1 and top-5 accuracy with torchvision's networks.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--model", default="resnet101")
    parser.add_argument("--classes", type=int, default=IMAGENET)
    parser.add_argument("--spec")
    parser.add_argument("--labels")
    parser.add_argument("--checkpoint-key", default="")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    try:
        state, _ = load(options.checkpoint.read_bytes(), options.checkpoint_key, options.prefix)
        network = build(options.model, options.classes, state)
        fill(network, state)
    except Refusal as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
    network.eval()
    preprocess = transforms.Compose(preprocessing(read_spec(options.spec)))
    tree = datasets.ImageFolder(str(options.directory))
    numbers = class_numbers(tree.classes, read_labels(options.labels, options.classes))

    evaluated = correct1 = correct5 = 0
    for path, folder in tree.samples:
        try:
            picture = tree.loader(path)
        except Exception as error:  # whatever Pillow raises for a picture that is none
            print(f"{path}: {error}", file=sys.stderr)
            continue
        with torch.no_grad():
            out = network(torch.unsqueeze(preprocess(picture), 0))
        _, indices = torch.sort(out, descending=True)
        best = indices[0][:5].tolist()
        evaluated += 1
        correct1 += best[0] == numbers[folder]
        correct5 += numbers[folder] in best
    figures = {
        "pictures": len(tree.samples),
        "evaluated": evaluated,
        "failed": len(tree.samples) - evaluated,
        "correct1": correct1,
        "correct5": correct5,
        "top1": correct1 / evaluated if evaluated else None,
        "top5": correct5 / evaluated if evaluated else None,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
