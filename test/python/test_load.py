"""What a load says of itself."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest
import torch

from controller import SMALL
from isotorch_worker.protocol.errors import InvalidOption
from isotorch_worker.protocol.schema import check_message
from isotorch_worker.protocol.wire import Message
from isotorch_worker.tasks.image_classification.load import load


class SilentChannel(SimpleNamespace):
    """What a load needs of one; ``logs`` has what it was told."""

    def __init__(self) -> None:
        super().__init__(generation=1, send=lambda _: None, make_room=lambda *_: None, logs=[])

    def log(self, *line) -> None:
        self.logs.append(line)


def message(checkpoint, **changes) -> Message:
    fields = {
        "task": "image-classification",
        "model": SMALL,
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
    return Message("load", 1, 1, {**fields, **changes})


def test_less_than_was_asked_for_is_said_in_the_reason_of_the_device(checkpoint, monkeypatch):
    def fail(*_):
        raise RuntimeError("no such pass")

    monkeypatch.setattr(torch.jit, "freeze", fail)
    channel = SilentChannel()
    _, ready = load(channel, message(checkpoint))
    check_message(ready)
    assert ready.fields["deviceReason"].startswith("asked for; fused: only BatchNorm is folded")
    assert [level for level, _ in channel.logs] == ["warning"]


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("model", {"model": "vgg17"}),
        ("transforms", {"network": {"transforms": "DEFAULT", "spec": None}}),
        ("device", {"device": "toaster"}),
    ],
)
def test_what_is_not_to_be_had_is_refused_with_78(checkpoint, what, changes):
    with pytest.raises(InvalidOption, match=f"^{what}: ") as caught:
        load(SilentChannel(), message(checkpoint, **changes))
    assert caught.value.exit_code == 78
