"""The rival: plain PyTorch and Pillow in one process that lives through all rounds. Lines of JSON in and out.

It shares no line with isotorch. Times are milliseconds.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import PIL
import torch
import torchvision
from PIL import Image
from torchvision import models, transforms

PREPROCESS = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ]
)


class Server:
    network: torch.nn.Module

    def hello(self, threads: int) -> dict[str, Any]:
        torch.set_num_threads(threads)
        onednn = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
        return {
            "python": sys.version.split()[0],
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "pillow": PIL.__version__,
            "onednn": onednn.group(1) if onednn else "not built in",
        }

    def load(self, checkpoint: str) -> dict[str, Any]:
        self.network = models.resnet101(weights=None)
        self.network.load_state_dict(torch.load(checkpoint, map_location="cpu"))
        self.network.eval()
        return {}

    def forward(self, path: str, count: int) -> dict[str, Any]:
        """The forward pass alone, over and over, each timed."""
        batch = torch.unsqueeze(PREPROCESS(Image.open(path).convert("RGB")), 0)
        times = []
        for _ in range(count):
            start = time.perf_counter()
            with torch.no_grad():
                self.network(batch)
            times.append((time.perf_counter() - start) * 1000)
        return {"times": times}

    def classify(self, paths: list[str]) -> dict[str, Any]:
        """The tutorial's loop: open, preprocess, forward, softmax, sort."""
        start = time.perf_counter()
        top = []
        for path in paths:
            img = Image.open(path).convert("RGB")
            with torch.no_grad():
                out = self.network(torch.unsqueeze(PREPROCESS(img), 0))
            percentage = torch.nn.functional.softmax(out, dim=1)[0] * 100
            _, indices = torch.sort(out, descending=True)
            top.append([(idx.item(), percentage[idx].item()) for idx in indices[0][:5]])
        elapsed = (time.perf_counter() - start) * 1000
        return {"elapsed": elapsed, "best": [picture[0][0] for picture in top]}

    def preprocess(self, path: str, count: int) -> dict[str, Any]:
        """Decode and preprocess; processor time, wall time."""
        start, started = time.perf_counter(), time.process_time()
        for _ in range(count):
            PREPROCESS(Image.open(path).convert("RGB"))
        cpu = (time.process_time() - started) * 1000
        return {
            "cpu": cpu / count,
            "wall": (time.perf_counter() - start) * 1000 / count,
        }

    def peak(self) -> dict[str, Any]:
        """The largest resident size so far, MiB."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return {"peak": int(found.group(1)) / 1024 if found else None}


server = Server()
for line in sys.stdin:
    request = json.loads(line)
    answer = getattr(server, request.pop("do"))(**request)
    print(json.dumps(answer), flush=True)
