"""The tutorial in plain PyTorch, to compare with: it shares no line with isotorch.

    python3 plain.py --checkpoint FILE.pth [--threads N] [--labels FILE] [--transforms NAME | --spec JSON]
                     [--model NAME] [--classes N] [--as-written] IMAGE...

The network is resnet101, or torchvision's ``--model`` with so many ``--classes``; its checkpoint is a state
dict, by today's names. ``--spec`` is preprocessing as isotorch's ``info()`` has it.

Prints one JSON object per picture: input, top5 [{index, label, percent}], the SHA-256 of the pixels after
convert("RGB"), of the tensor and of the logits, and the seconds from opening the file to the answer.
--as-written leaves out ``eval()``, as the tutorial's text does: BatchNorm then uses the picture's own
statistics.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from typing import Any

import torch
from PIL import Image
from torchvision import models, transforms

NORMALIZE = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
TRANSFORMS = {
    "IMAGENET1K_V1": transforms.Compose(
        [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), NORMALIZE]
    ),
    "IMAGENET1K_V2": transforms.Compose(
        [transforms.Resize(232), transforms.CenterCrop(224), transforms.ToTensor(), NORMALIZE]
    ),
}


def preprocessing(spec: dict[str, Any]) -> transforms.Compose:
    resize = transforms.Resize(spec["resize"], transforms.InterpolationMode(spec["interpolation"]))
    normalize = transforms.Normalize(mean=spec["mean"], std=spec["std"])
    return transforms.Compose([resize, transforms.CenterCrop(spec["crop"]), transforms.ToTensor(), normalize])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Classify pictures with torchvision's networks, nothing else."
    )
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--threads", type=int, default=0, help="0 leaves PyTorch's own choice")
    parser.add_argument("--labels", help="one class name per line; torchvision's own names without it")
    parser.add_argument("--transforms", choices=list(TRANSFORMS), default="IMAGENET1K_V1")
    parser.add_argument("--spec", help="preprocessing in JSON, in place of --transforms")
    parser.add_argument("--model", default="resnet101")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--as-written", action="store_true")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)

    if args.labels:
        with open(args.labels, encoding="utf-8") as f:  # noqa: PTH123
            labels = [line.strip() for line in f]
    elif args.classes != 1000:
        labels = [f"class {number}" for number in range(args.classes)]
    else:
        labels = list(models.ResNet101_Weights.IMAGENET1K_V1.meta["categories"])

    preprocess = TRANSFORMS[args.transforms] if args.spec is None else preprocessing(json.loads(args.spec))
    network = getattr(models, args.model)(weights=None, num_classes=args.classes)
    network.load_state_dict(torch.load(args.checkpoint, map_location="cpu"))
    if not args.as_written:
        network.eval()

    for name in args.images:
        start = time.perf_counter()
        img = Image.open(name).convert("RGB")
        batch_t = torch.unsqueeze(preprocess(img), 0)
        with torch.no_grad():
            out = network(batch_t)
        percentage = torch.nn.functional.softmax(out, dim=1)[0] * 100
        _, indices = torch.sort(out, descending=True)
        seconds = time.perf_counter() - start
        line = {
            "input": name,
            "top5": [
                {"index": int(i), "label": labels[int(i)], "percent": percentage[i].item()}
                for i in indices[0][:5]
            ],
            "pixels_sha256": sha256(img.tobytes()),
            "tensor_sha256": sha256(batch_t.numpy().tobytes()),
            "logits_sha256": sha256(out.numpy().tobytes()),
            "seconds": round(seconds, 4),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
