"""``plain_cold.py CHECKPOINT LABELS THREADS IMAGE``: the tutorial from import to top five, as written."""

from __future__ import annotations

import sys

import torch
from PIL import Image
from torchvision import models, transforms

checkpoint, label_file, threads, image = sys.argv[1:]
torch.set_num_threads(int(threads))
preprocess = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ]
)
resnet = models.resnet101()
resnet.load_state_dict(torch.load(checkpoint))
resnet.eval()
with open(label_file, encoding="utf-8") as f:  # noqa: PTH123
    labels = [line.strip() for line in f]
img = Image.open(image).convert("RGB")
with torch.no_grad():
    out = resnet(torch.unsqueeze(preprocess(img), 0))
percentage = torch.nn.functional.softmax(out, dim=1)[0] * 100
_, indices = torch.sort(out, descending=True)
print([(labels[idx], percentage[idx].item()) for idx in indices[0][:5]], flush=True)
