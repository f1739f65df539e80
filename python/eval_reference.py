"""Accuracy over an ImageFolder tree by plain torchvision, to compare with: it shares no line with isotorch.

    python3 eval_reference.py DIR --checkpoint FILE.pth [--threads N] [--transforms NAME]

Prints one JSON object: pictures, evaluated, failed, correct1, correct5, top1, top5 (of those that could be
read, 0 to 1; null where none could). A folder is the class that its name says, as an index or a
label; otherwise ImageFolder's own numbering holds, for which there must be a folder for each class.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from torchvision import datasets, models, transforms

RESIZE = {"IMAGENET1K_V1": 256, "IMAGENET1K_V2": 232}


def class_numbers(folders: list[str], categories: list[str]) -> list[int]:
    """The network's class for each of ImageFolder's sorted folders."""
    if all(name.isdecimal() and int(name) < len(categories) for name in folders):
        return [int(name) for name in folders]
    if all(name in categories for name in folders):
        return [categories.index(name) for name in folders]
    if len(folders) != len(categories):
        sys.exit(f"{len(folders)} folders for {len(categories)} classes, and their names do not say which")
    return list(range(len(folders)))


def main() -> None:
    """Print the figures of one tree."""
    parser = argparse.ArgumentParser(description="top-1 and top-5 accuracy with torchvision's resnet101.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--transforms", choices=RESIZE, default="IMAGENET1K_V1")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    resnet = models.resnet101()
    resnet.load_state_dict(torch.load(options.checkpoint, map_location="cpu"))
    resnet.eval()
    preprocess = transforms.Compose(
        [
            transforms.Resize(RESIZE[options.transforms]),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    tree = datasets.ImageFolder(str(options.directory))
    numbers = class_numbers(tree.classes, models.ResNet101_Weights[options.transforms].meta["categories"])

    evaluated = correct1 = correct5 = 0
    for path, folder in tree.samples:
        try:
            picture = tree.loader(path)
        except Exception as error:  # whatever Pillow raises for a picture that is none
            print(f"{path}: {error}", file=sys.stderr)
            continue
        with torch.no_grad():
            out = resnet(torch.unsqueeze(preprocess(picture), 0))
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
