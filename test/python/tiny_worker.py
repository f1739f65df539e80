"""The real worker around a tiny network, to see what happens to batches without computing for seconds.

A picture whose first value is 1e38 has logits that are not finite, one with 13 breaks the network, and with
two values of 5 in a batch memory runs out. A first value of 3 makes the pass take half a second.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from isotorch_worker import __main__
from isotorch_worker.protocol.wire import Message, byte_frame
from isotorch_worker.task import Registry
from isotorch_worker.tasks.image_classification.session import Session
from isotorch_worker.tasks.registry import registry


def load(channel, message, imports=None):
    import torch

    from isotorch_worker.runtime import compute
    from isotorch_worker.tasks.image_classification import infer

    class Tiny(torch.nn.Module):
        def forward(self, batch):
            first = batch[:, 0, 0, 0]
            if bool((first == 3).any()):
                time.sleep(0.5)
            if bool((first == 13).any()):
                raise RuntimeError("thirteen")
            if int((first == 5).sum()) > 1:
                raise RuntimeError("out of memory")
            return first[:, None] * torch.linspace(1, 9, 1000)

    device = torch.device("cpu")
    spec = {"resize": 8, "crop": 8, "mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bilinear"}
    wanted = message.fields["maxBatch"]
    computer = compute.prepare(
        Tiny(), infer.output(1000), device, spec, message.fields["precision"], wanted, 1, channel.log
    )
    channel.make_room(computer.limit.most, 8 * 8 * 3 * 4)
    fields = {
        "versions": {},
        "device": "cpu",
        "deviceName": "cpu",
        "deviceReason": "asked for",
        "threads": 1,
        "threadsReason": "asked for",
        "precision": message.fields["precision"],
        "model": "tiny",
        "sha256": "0" * 64,
        "checkpointKey": "",
        "prefix": "",
        "network": {"classes": 1000, "embedding": 1, "transforms": None, "spec": spec},
        "maxBatch": computer.limit.most,
        "warmupMs": 0.0,
        "blasGflops": None,
    }
    frames = {
        **byte_frame("categories", b"[]"),
        **byte_frame("models", b"[]"),
        **byte_frame("attestation", b"{}"),
        **byte_frame("remarks", b"[]"),
    }
    ready = Message("ready", message.id, channel.generation, fields, frames)
    return Session(Tiny(), device, spec, computer), ready


def tiny() -> Registry:
    """What every worker can do, with a load of its own."""
    return registry()._replace(loads={"image-classification": load})


if __name__ == "__main__":
    os._exit(__main__.main(["serve"], tiny))
