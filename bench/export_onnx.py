"""``export_onnx.py CHECKPOINT OUT``: torchvision's resnet101 with this checkpoint as ONNX, any batch size."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torchvision import models

checkpoint, out = sys.argv[1], Path(sys.argv[2])
network = models.resnet101(weights=None)
network.load_state_dict(torch.load(checkpoint, map_location="cpu"))
network.eval()
partial = out.with_name(out.name + ".part")
torch.onnx.export(
    network,
    torch.zeros(1, 3, 224, 224),
    str(partial),
    opset_version=13,
    input_names=["input"],
    output_names=["logits"],
    dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}},
)
partial.replace(out)
