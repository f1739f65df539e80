"""A replica's pictures, with no cluster: what Ray and Starlette give to `ray_app` is put in their place."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from isotorch_worker import oip
from isotorch_worker.pictures import picture_child
from isotorch_worker.pictures.picture_pool import Pictures
from isotorch_worker.runtime.compute import Computer
from isotorch_worker.runtime.copy import Transfer
from isotorch_worker.tasks.image_classification import infer

SPEC = {"resize": 8, "crop": 8, "mean": [0.0] * 3, "std": [1.0] * 3, "interpolation": "bilinear"}


class Tiny(torch.nn.Module):
    def forward(self, batch):
        return batch[:, 0, 0, :1] * torch.linspace(1, 9, 1000)


def batch(**_):
    def decorate(function):
        async def one(self, call):
            return (await function(self, [call]))[0]

        return one

    return decorate


@pytest.fixture
def replica(monkeypatch):
    def module(name, **contents):
        made = ModuleType(name)
        made.__dict__.update(contents)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    serve = module("ray.serve", deployment=lambda **_: lambda of: of, batch=batch, Application=object)
    serve.metrics = module("ray.serve.metrics")
    module("ray", serve=serve)
    module("starlette")
    module("starlette.requests", Request=object)
    module("starlette.responses", JSONResponse=object, Response=object)
    monkeypatch.delitem(sys.modules, "isotorch_worker.ray.ray_app", raising=False)
    monkeypatch.delitem(sys.modules, "isotorch_worker.ray.observe", raising=False)
    monkeypatch.setattr(picture_child, "PROGRAM", Path(__file__).with_name("odd_pictures.py"))
    from isotorch_worker.ray import ray_app

    made = object.__new__(ray_app.Network)
    computer = Computer(Tiny(), infer.output(1000), Transfer(torch.device("cpu"), SPEC), 4, exact=False)
    made._model = oip.Model("resnet101", SPEC, 1000, 0)
    made._session = SimpleNamespace(spec=SPEC, computer=computer)
    made._thread = ray_app.ThreadPoolExecutor(1)
    made._pictures = Pictures(2)
    made._labels = [str(number) for number in range(1000)]
    made._observer = SimpleNamespace(computed=lambda *_: None)
    yield made
    made._pictures.close()
    made._thread.shutdown()
    for name in ("ray.ray_app", "ray.observe"):
        sys.modules.pop(f"isotorch_worker.{name}", None)


def image(data: bytes) -> oip.Item:
    return oip.Item("image", data, ())


def test_a_file_has_the_answer_of_its_tensor(replica, jpeg):
    from isotorch_worker.pictures.transforms import tensor_from_encoded

    tensor = tensor_from_encoded(jpeg, SPEC)
    item = oip.Item("input", tensor.numpy().tobytes(), tuple(tensor.shape))
    given, wanted = (asyncio.run(replica._answer(one, None)) for one in (image(jpeg), item))
    assert given["logits"] == wanted["logits"]


def test_a_bad_file_is_an_error_of_its_own(replica):
    assert asyncio.run(replica._answer(image(b"hello"), None)).code == "UNSUPPORTED_FORMAT"
    assert asyncio.run(replica._answer(image(b"crash"), None)).code == "DECODE_FAILED"


def test_a_slow_file_delays_no_tensor_ends_at_its_deadline_and_with_its_client(replica, jpeg):
    import time

    tensor = oip.Item("input", bytes(3 * 8 * 8 * 4), (1, 3, 8, 8))

    async def all_at_once():
        slow = asyncio.ensure_future(replica._answer(image(b"sleep"), time.monotonic() + 2))
        left = asyncio.ensure_future(replica._answer(image(b"sleep"), None))
        for _ in range(5):
            assert "logits" in await replica._answer(tensor, None)
        assert not left.done()
        left.cancel()
        assert (await slow).code == "DEADLINE_EXCEEDED"
        with pytest.raises(asyncio.CancelledError):
            await left
        # Both processes are free for others.
        assert "logits" in await replica._answer(image(jpeg), None)

    asyncio.run(all_at_once())
