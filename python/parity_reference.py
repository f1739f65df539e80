"""The other side of the parity ladder: the tutorial's steps in plain PyTorch, every intermediate result kept.

    python parity_reference.py --checkpoint FILE.pth [--sha256 HEX] [--transforms IMAGENET1K_V1|IMAGENET1K_V2]
                               [--device cpu|cuda:N] [--threads N] [--labels FILE] [--largest BYTES]

It shares no code with the worker and needs torch, torchvision, Pillow and NumPy alone. One long-lived
process: the first line on stdout is ``{"ready": {...}}`` with its versions and labels, or
``{"fatal": {"code", "message"}}``. A request is one line of JSON on stdin, ``{"path": str}``. The reply is a
line of JSON and then the raw bytes of its ``stages``, little-endian and in their order; a picture that fails
answers ``{"error": {"type", "message"}}``. The end of stdin ends the process.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import platform
import sys
import warnings
from pathlib import Path

# Nothing that a library prints may reach the replies: stdout becomes stderr for everybody else.
REPLIES = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)

try:
    import numpy as np
    import PIL
    import torch
    import torchvision
    from PIL import Image, features
    from torchvision import models, transforms
except Exception as error:
    text = f"{type(error).__name__}: {error}"
    REPLIES.write(json.dumps({"fatal": {"code": "ENVIRONMENT_BROKEN", "message": text}}).encode() + b"\n")
    REPLIES.flush()
    sys.exit(69)

# Typed out by hand, not read from the weights object: the worker reads it there.
RESIZE = {"IMAGENET1K_V1": 256, "IMAGENET1K_V2": 232}
CROP = 224
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]


class Refusal(Exception):
    """A start that cannot succeed, with the code that tells why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--sha256")
    parser.add_argument("--transforms", choices=sorted(RESIZE), default="IMAGENET1K_V1")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--labels")
    parser.add_argument("--largest", type=int, default=64 * 1024 * 1024)
    return parser.parse_args()


def load_network(args: argparse.Namespace) -> torch.nn.Module:
    """resnet101 with the checkpoint in it, in ``eval`` mode on the device."""
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        message = f"{args.device} was asked for and torch {torch.__version__} sees no CUDA"
        raise Refusal("DEVICE_UNAVAILABLE", message)
    data = Path(args.checkpoint).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    del data
    if args.sha256 and digest != args.sha256.lower():
        raise Refusal("CHECKPOINT_CORRUPT", f"{args.checkpoint} has SHA-256 {digest}, expected {args.sha256}")
    known = inspect.signature(torch.load).parameters
    safe = {"weights_only": True} if "weights_only" in known else {}
    resnet = models.resnet101()
    try:
        state = torch.load(args.checkpoint, map_location="cpu", **safe)
    except Exception as error:  # damaged bytes surface as any of a dozen types
        raise Refusal(
            "CHECKPOINT_CORRUPT", f"torch.load refuses the checkpoint: {first_line(error)}"
        ) from None
    try:
        resnet.load_state_dict(state)
    except Exception as error:
        raise Refusal(
            "CHECKPOINT_MISMATCH", f"resnet101 refuses the checkpoint: {first_line(error)}"
        ) from None
    # Older versions make tensors of storages that are too small for them.
    if not all(bool(torch.isfinite(value).all()) for value in resnet.state_dict().values()):
        raise Refusal("CHECKPOINT_CORRUPT", "the checkpoint has NaN or infinite values")
    resnet.eval()
    return resnet.to(args.device)


def first_line(error: Exception) -> str:
    """What an error says, in at most 200 characters."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:200]


def read_labels(args: argparse.Namespace) -> list[str]:
    """The tutorial's label file where one is given, torchvision's categories elsewhere."""
    if args.labels:
        with Path(args.labels).open(encoding="utf-8") as f:
            return [line.strip() for line in f.readlines()]
    return list(models.ResNet101_Weights[args.transforms].meta["categories"])


def describe(args: argparse.Namespace) -> dict:
    """Everything about this side that may change a bit."""
    on_cuda = args.device.startswith("cuda")
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "pillow": PIL.__version__,
        "numpy": np.__version__,
    }
    turbo = features.version_feature("libjpeg_turbo") if features.check_feature("libjpeg_turbo") else None
    named = {
        "libjpeg": f"turbo {turbo}" if turbo else features.version_codec("jpg"),
        "zlib": features.version_codec("zlib") if features.check_codec("zlib") else None,
        "webp": features.version_module("webp") if features.check_module("webp") else None,
        "cuda": torch.version.cuda or "none",
        "cudnn": cudnn_version(),
    }
    versions.update({name: str(version) for name, version in named.items() if version is not None})
    return {
        "versions": versions,
        "executable": sys.executable,
        "device": args.device,
        "deviceName": torch.cuda.get_device_name(args.device) if on_cuda else platform.machine(),
        "threads": torch.get_num_threads(),
    }


def cudnn_version() -> str:
    """As the worker tells it: on the CPU, a cuDNN that does not load matters to nobody."""
    try:
        return str(torch.backends.cudnn.version() or "none")
    except Exception as error:
        return f"unknown ({type(error).__name__})"


class Steps:
    """The tutorial's steps, one after the other."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.resnet = load_network(args)
        self.labels = read_labels(args)
        self.device = args.device
        self.largest = args.largest
        self.resize = transforms.Resize(RESIZE[args.transforms])
        self.crop = transforms.CenterCrop(CROP)
        self.to_tensor = transforms.ToTensor()
        self.normalize = transforms.Normalize(mean=MEAN, std=STD)

    def run(self, path: str) -> tuple[dict, list[np.ndarray]]:
        """The reply's header and the arrays of its stages, in the order of the header's list."""
        with Image.open(path) as opened:
            header = {"format": opened.format, "mode": opened.mode}
            img = opened.convert("RGB")
        resized = self.resize(img)
        cropped = self.crop(resized)
        img_t = self.to_tensor(cropped)
        normalized = self.normalize(img_t)
        batch_t = torch.unsqueeze(normalized, 0)
        with torch.no_grad():
            out = self.resnet(batch_t.to(self.device))
        percentage = torch.nn.functional.softmax(out, dim=1)[0] * 100
        _, indices = torch.sort(out, descending=True)

        stages: dict[str, np.ndarray] = {"decoded": np.asarray(img)}
        if resized.width * resized.height * 3 <= self.largest:
            stages["resized"] = np.asarray(resized)
        else:
            header["skipped"] = {"resized": f"{resized.width} x {resized.height} is too large to hand over"}
        stages["cropped"] = np.asarray(cropped)
        stages["toTensor"] = img_t.numpy()
        stages["normalized"] = batch_t.numpy()
        stages["logits"] = out[0].cpu().numpy()
        stages["percentages"] = percentage.cpu().numpy()
        stages["order"] = indices[0].cpu().numpy().astype(np.int32)
        header["labels"] = [self.labels[index] for index in indices[0][:5]]
        return header, list(arrays_of(header, stages))

    def answer(self, line: bytes) -> None:
        """One request, one reply; only a broken pipe ends the process."""
        try:
            header, arrays = self.run(json.loads(line)["path"])
        except Exception as error:
            send({"error": {"type": type(error).__name__, "message": str(error)[:2000]}})
            return
        send(header, *arrays)


def arrays_of(header: dict, stages: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The arrays as they cross, contiguous and little-endian; their descriptors go into ``header``."""
    arrays = []
    header["stages"] = []
    for name, stage in stages.items():
        array = np.ascontiguousarray(stage)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        header["stages"].append({"name": name, "dtype": little.dtype.str, "shape": list(stage.shape)})
        arrays.append(little)
    return arrays


def send(header: dict, *arrays: np.ndarray) -> None:
    """A line of JSON and the raw bytes after it."""
    REPLIES.write(json.dumps(header).encode() + b"\n")
    for array in arrays:
        REPLIES.write(memoryview(array).cast("B"))
    REPLIES.flush()


def main() -> int:
    """Serves until stdin ends; 65 where the start is refused."""
    args = read_arguments()
    warnings.simplefilter("ignore")
    try:
        if args.threads:
            torch.set_num_threads(args.threads)
        steps = Steps(args)
    except Refusal as refusal:
        send({"fatal": {"code": refusal.code, "message": str(refusal)}})
        return 65
    except Exception as error:
        send({"fatal": {"code": "WORKER_START_FAILED", "message": f"{type(error).__name__}: {error}"}})
        return 65
    send({"ready": {**describe(args), "labels": steps.labels}})
    for line in sys.stdin.buffer:
        steps.answer(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
