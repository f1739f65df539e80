"""Write checkpoints as people save them, and what plain PyTorch answers with each, or what is said of it.

    python3 scripts/models/saved.py DIR --image IMAGE --threads N [--only FORM ...]

Prints a line of JSON for each form as soon as its file is there: name, file, flags, and either logits (the
SHA-256 of float32) with classes, or code, says and hint (regular expressions).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import warnings
from pathlib import Path

# Threads that wait in a busy loop take what the others need; the bits are the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

import torch
import torchvision.models
from forms import LOADED, Form
from PIL import Image
from refused import REFUSED, Refused
from torch import Tensor


def main() -> None:
    """Write, answer, print."""
    parser = argparse.ArgumentParser(description="Checkpoints as people save them.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--image", required=True, type=Path)
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--only", nargs="*", default=[], metavar="FORM")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(True)
    batch = batch_of(args.image)
    for name, form in {**LOADED, **REFUSED}.items():
        if args.only and name not in args.only:
            continue
        file = args.folder / f"{name}{form.suffix}"
        form.write(file)
        about = {"name": name, "file": str(file), "flags": form.flags}
        print(json.dumps({**about, **expected(form, file, batch)}), flush=True)


def expected(form: Form | Refused, file: Path, batch: Tensor) -> dict[str, object]:
    """What the command must answer."""
    if isinstance(form, Refused):
        return {"code": form.code, "says": form.says, "hint": form.hint}
    logits = form.network(file).eval()(batch).detach()
    if not bool(torch.isfinite(logits).all()):
        raise ValueError(f"{file.name} answers nothing that could be compared")
    digest = hashlib.sha256(logits.contiguous().numpy().tobytes()).hexdigest()
    return {"logits": digest, "classes": logits.shape[1]}


def batch_of(image: Path) -> Tensor:
    """By SMALL's preset, which is that of the other networks of `forms`, too."""
    preprocess = torchvision.models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1.transforms()
    return preprocess(Image.open(image).convert("RGB")).unsqueeze(0)


if __name__ == "__main__":
    main()
