"""The other side of the parity ladder: the tutorial's steps in plain PyTorch, every intermediate result kept.

    python parity_reference.py --checkpoint FILE [--model NAME] [--classes N] [--spec JSON]
                               [--checkpoint-key KEY] [--prefix TEXT] [--sha256 HEX]
                               [--device cpu|cuda:N] [--threads N] [--labels FILE] [--largest BYTES]

``--spec`` is ``{"resize", "crop", "interpolation", "mean", "std"}``, by default the tutorial's. The network
is torchvision's of that name (resnet101) with that many classes (1000). It shares no code with the worker,
but for files that torch alone does not read (``reference_checkpoint.py``), and needs torch, torchvision,
Pillow and NumPy alone. One long-lived process: the first line on stdout is ``{"ready": {...}}`` with its
versions, labels and what read the checkpoint, or ``{"fatal": {"code", "message"}}``. A request is one line of
JSON on stdin, ``{"path": str}``. The reply is a line of JSON and then the raw bytes of its ``stages``,
little-endian and in their order; a picture that fails answers ``{"error": {"type", "message"}}``. The end of
stdin ends the process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import warnings
from pathlib import Path

# Nothing that a library prints may reach the replies: stdout becomes stderr for everybody else.
REPLIES = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)

# Run by its path with -I, which leaves the script's directory out of sys.path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

try:
    import numpy as np
    import PIL
    import torch
    import torchvision
    from PIL import Image, features

    from reference_checkpoint import Refusal, load
    from reference_network import build, embedding_of, fill, head_of, preprocessing, read_labels, read_spec
except Exception as error:
    text = f"{type(error).__name__}: {error}"
    REPLIES.write(json.dumps({"fatal": {"code": "ENVIRONMENT_BROKEN", "message": text}}).encode() + b"\n")
    REPLIES.flush()
    sys.exit(69)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--sha256")
    parser.add_argument("--model", default="resnet101")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--spec")
    parser.add_argument("--checkpoint-key", default="")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--labels")
    parser.add_argument("--largest", type=int, default=64 * 1024 * 1024)
    return parser.parse_args()


def load_network(args: argparse.Namespace) -> tuple[torch.nn.Module, str]:
    """The network with the checkpoint in it, in ``eval`` mode on the device; and what read the checkpoint."""
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        message = f"{args.device} was asked for and torch {torch.__version__} sees no CUDA"
        raise Refusal("DEVICE_UNAVAILABLE", message)
    data = Path(args.checkpoint).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if args.sha256 and digest != args.sha256.lower():
        raise Refusal("CHECKPOINT_CORRUPT", f"{args.checkpoint} has SHA-256 {digest}, expected {args.sha256}")
    state, loaded_by = load(data, args.checkpoint_key, args.prefix)
    del data
    network = build(args.model, args.classes, state)
    fill(network, state)
    network.eval()
    return network.to(args.device), loaded_by


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
        self.network, self.loaded_by = load_network(args)
        self.labels = read_labels(args.labels, args.classes)
        self.device = args.device
        self.largest = args.largest
        self.resize, self.crop, self.to_tensor, self.normalize = preprocessing(read_spec(args.spec))
        _, self.head = head_of(self.network)
        self.given = torch.empty(0)
        self.head.register_forward_hook(self.keep)

    def keep(self, _: torch.nn.Module, given: tuple[torch.Tensor], __: torch.Tensor) -> None:
        """What the head is given, which the embedding is made of."""
        (self.given,) = given

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
            out = self.network(batch_t.to(self.device))
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
        stages["embedding"] = embedding_of(self.head, self.given)[0].cpu().numpy()
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
    send({"ready": {**describe(args), "labels": steps.labels, "loadedBy": steps.loaded_by}})
    for line in sys.stdin.buffer:
        steps.answer(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
