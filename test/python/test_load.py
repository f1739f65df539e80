"""What a load says of itself."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import torch

from isotorch_worker.protocol.schema import check_message
from isotorch_worker.protocol.wire import Message
from isotorch_worker.tasks.image_classification.load import load


def test_less_than_was_asked_for_is_said_in_the_reason_of_the_device(checkpoint, monkeypatch):
    def fail(*_):
        raise RuntimeError("no such pass")

    monkeypatch.setattr(torch.jit, "freeze", fail)
    logs = []
    channel = SimpleNamespace(
        generation=1,
        send=lambda _: None,
        log=lambda *line: logs.append(line),
        make_room=lambda *_: None,
    )
    fields = {
        "task": "image-classification",
        "model": "resnet101",
        "checkpoint": str(checkpoint),
        "checkpointKey": None,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "seed": None,
        "network": {"transforms": "IMAGENET1K_V1", "spec": None},
        "device": "cpu",
        "precision": "fused",
        "threads": 2,
        "maxBatch": 0,
    }
    _, ready = load(channel, Message("load", 1, 1, fields))
    check_message(ready)
    assert ready.fields["deviceReason"].startswith("asked for; fused: only BatchNorm is folded")
    assert [level for level, _ in logs] == ["warning"]
