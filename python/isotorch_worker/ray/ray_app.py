"""The network behind Ray Serve: the worker's own loading and arithmetic, the endpoints of `isotorch serve`.

`python ray_app.py up` deploys it, by settings on stdin; `python ray_app.py down ADDRESS` removes it.
`isotorch up --ray` and `isotorch down` run these.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from isotorch_worker import oip
from isotorch_worker.base.stdin import read_to_end
from isotorch_worker.oip_body import Body
from isotorch_worker.pictures.picture import MAX_PIXELS
from isotorch_worker.pictures.picture_pool import Pictures
from isotorch_worker.pictures.picture_reader import Encoded
from isotorch_worker.pictures.spec import crop_size
from isotorch_worker.pictures.transforms import normalized_bytes, tensor_from_pixels
from isotorch_worker.protocol.errors import DeadlineExceeded, NonFiniteOutput, WorkerError
from isotorch_worker.protocol.wire import Message
from isotorch_worker.ray.observe import Observer, Seen
from isotorch_worker.runtime.compute import Running
from isotorch_worker.tasks.image_classification import infer
from isotorch_worker.tasks.image_classification.load import load
from isotorch_worker.tasks.image_classification.session import Session

APP = "isotorch"
MOST = 8
"""Calls that are given to the network at once; how many it computes together is its own choice."""
QUIET_S = 10.0
"""A replica is asked for a real answer when it gave none for so long, seconds."""
_PROBES = ("/v2/health/live", "/v2/health/ready")
_REST = 64 * 1024
"""Bytes of the JSON before binary data."""


@serve.deployment(
    max_ongoing_requests=32,
    health_check_period_s=5,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=30,
)
class Network:
    """One replica: the network, one thread that computes, and the HTTP side of it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._token: str | None = settings["token"]
        # PyTorch's number of threads belongs to the thread that sets it: loading and computing share one.
        self._thread = ThreadPoolExecutor(1)
        self._session, ready = self._thread.submit(_load, settings["load"]).result()
        self._labels: list[str] = json.loads(bytes(ready.frames["categories"][1]))
        self._attestation: dict[str, str] = json.loads(bytes(ready.frames["attestation"][1]))
        fields = dict(ready.fields)
        network = fields.pop("network")
        self._model = oip.Model(fields["model"], network["spec"], network["classes"], network["embedding"])
        self._path = f"/v2/models/{self._model.name}"
        self._open = (*_PROBES, f"{self._path}/ready")
        self._network = {**fields, "weights": settings["name"]}
        self._network |= {"trained": settings["trained"], **network, **network["spec"]}
        # What makes later pictures faster and changes no bit is worth its time before the first one here.
        self._thread.submit(self._session.computer.improve).result()
        self._pictures = Pictures()
        self._answered = time.monotonic()
        self._observer = Observer()

    async def check_health(self) -> None:
        """Raises unless the network answered a picture in the last seconds, or answers one now."""
        if time.monotonic() - self._answered < QUIET_S:
            return
        height, width = crop_size(self._session.spec)
        item = oip.Item("input", bytes(3 * height * width * 4), (1, 3, height, width))
        (answer,) = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._compute, [(item, None)], False
        )
        if isinstance(answer, WorkerError):
            raise answer

    async def __call__(self, request: Request) -> Response:
        path = request.url.path.rstrip("/").replace(f"{self._path}/versions/{oip.VERSION}", self._path)
        seen = Seen(request.method, path if self._knows(path) else "unmatched", request.headers)
        try:
            response = await self._routed(request, path)
        except WorkerError as error:
            seen.code = error.code
            body, status = oip.error_body(error)
            response = Response(body, status, media_type="application/json")
        except asyncio.CancelledError:
            seen.code = "ABORTED"
            self._observer.answered(seen, 499)
            raise
        except Exception:
            self._observer.answered(seen, 500)
            raise
        self._observer.answered(seen, response.status_code)
        # The request's id is handed back by Ray's proxy.
        response.headers["traceparent"] = seen.trace.header()
        return response

    def _knows(self, path: str) -> bool:
        own = (self._path, f"{self._path}/config", f"{self._path}/infer")
        return path in (*self._open, *own, "/v2", "/v2/models", "/status")

    async def _routed(self, request: Request, path: str) -> Response:
        if path in self._open:
            return JSONResponse({"ready": True})
        self._check_token(request.headers.get("authorization", ""))
        if request.method == "POST" and path == f"{self._path}/infer":
            return await self._inferred(request)
        answers: dict[str, dict[str, Any]] = {
            "/v2": {
                "name": "isotorch",
                "version": "ray",
                "extensions": [*oip.EXTENSIONS],
            },
            "/v2/models": {"models": [self._model.name]},
            f"{self._path}/config": oip.model_config(self._model),
            self._path: oip.model_metadata(self._model, self._model.name, self._attestation),
            "/status": {"ready": True, "network": self._network},
        }
        if request.method == "GET" and path in answers:
            return JSONResponse(answers[path])
        raise oip.NotFound(f"there is no {request.method} {path}")

    def _check_token(self, given: str) -> None:
        if self._token is None or hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return
        raise oip.Unauthorized("the token is missing or wrong")

    async def _inferred(self, request: Request) -> Response:
        wanted = request.headers.get("x-request-timeout-ms", "")
        body = await _received(request, self._model)
        # In a thread: a large request must not keep this replica from answering for its health.
        asked = await asyncio.get_running_loop().run_in_executor(
            None, oip.parse_infer, body, request.headers.get(oip.JSON_LENGTH), self._model
        )
        limits = [
            ms for ms in (float(wanted) if wanted.isdecimal() else None, asked.timeout_ms) if ms is not None
        ]
        deadline = time.monotonic() + min(limits) / 1000 if limits else None
        answers = await asyncio.gather(*(self._answer(item, deadline) for item in asked.items))
        for answer in answers:
            self._observer.picture(answer.code if isinstance(answer, WorkerError) else "ok")
        for answer in answers:
            if isinstance(answer, WorkerError):
                raise answer
        body, headers = oip.encode_infer(asked, answers, self._model)
        return Response(body, headers=headers)

    async def _answer(self, item: oip.Item, deadline: float | None) -> dict[str, Any] | WorkerError:
        if item.name != "image":
            return await self._batched((item, deadline))
        encoded = Encoded(item.data, MAX_PIXELS, self._session.spec, until=deadline)
        decoding = self._pictures.submit(encoded)
        try:
            decoded = await asyncio.wrap_future(decoding.future)
        except WorkerError as error:
            return error
        finally:
            # The client has gone, where it is not done by now.
            decoding.cancel()
        return await self._batched((oip.Item("cropped", bytes(decoded.cropped or b""), ()), deadline))

    @serve.batch(max_batch_size=MOST, batch_wait_timeout_s=0.0)
    async def _batched(
        self, calls: list[tuple[oip.Item, float | None]]
    ) -> list[dict[str, Any] | WorkerError]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, calls)

    def _compute(
        self, calls: list[tuple[oip.Item, float | None]], counts: bool = True
    ) -> list[dict[str, Any] | WorkerError]:
        """An answer or an error for each; a bad picture costs its neighbours nothing.

        ``counts`` says whether somebody asked, so that the stages belong in the metrics.
        """
        import torch

        results: list[Any] = [None] * len(calls)
        good: list[tuple[int, torch.Tensor]] = []
        for at, (item, deadline) in enumerate(calls):
            try:
                if deadline is not None and time.monotonic() > deadline:
                    raise DeadlineExceeded("the deadline passed before its turn came")
                good.append((at, _tensor(item, self._session.spec)))
            except WorkerError as error:
                results[at] = error
        done = 0
        for running in self._session.computer.run([tensor for _, tensor in good]):
            part = [at for at, _ in good[done : done + running.count]]
            done += running.count
            for at, answer in zip(part, self._finished(running, counts)):
                results[at] = answer
        self._answered = time.monotonic()
        return results

    def _finished(self, running: Running[infer.Output], counts: bool) -> list[dict[str, Any] | WorkerError]:
        import torch

        try:
            computed = running.finish()
        except Exception as error:
            known = (
                error if isinstance(error, WorkerError) else WorkerError(f"{type(error).__name__}: {error}")
            )
            return [known] * running.count
        if counts:
            self._observer.computed(computed, running.count)
        answers: list[dict[str, Any] | WorkerError] = []
        for row in range(running.count):
            one = slice(row, row + 1)
            output = infer.Output(*(tensor[one] for tensor in computed.output))
            if not bool(torch.isfinite(output.logits).all()):
                answers.append(NonFiniteOutput("the logits are not finite"))
                continue
            answers.append(
                {
                    "logits": output.logits.numpy().tobytes(),
                    "softmax": output.softmax.numpy().tobytes(),
                    "sigmoid": output.sigmoid.numpy().tobytes(),
                    "embedding": output.embedding.numpy().tobytes(),
                    "indices": output.indices.to(torch.int32).numpy().tobytes(),
                    "labels": self._labels,
                }
            )
        return answers


def _load(fields: dict[str, Any]) -> tuple[Session, Message]:
    """As a worker loads, with nobody who hears of the progress."""

    def quiet(*_: Any) -> None:
        return None

    silent: Any = SimpleNamespace(send=quiet, log=quiet, make_room=quiet, generation=0)
    return load(silent, Message("load", 1, 0, fields))


async def _received(request: Request, model: oip.Model) -> bytes:
    height, width = crop_size(model.spec)
    batch = oip.MAX_BATCH * 3 * height * width * 4 + _REST
    body = Body(request.headers.get("content-encoding"), oip.JSON_LENGTH in request.headers, batch)
    async for chunk in request.stream():
        body.feed(chunk)
    return body.finish()


def _tensor(item: oip.Item, spec: dict[str, Any]) -> Any:
    if item.name == "cropped":
        return normalized_bytes(item.data, spec)
    if item.name == "pixels":
        import torch

        pixels = torch.frombuffer(bytearray(item.data), dtype=torch.uint8).reshape(item.shape)
        return tensor_from_pixels(pixels, spec)
    return infer.tensor_from_floats(bytearray(item.data), item.shape)


def application(settings: dict[str, Any]) -> serve.Application:
    """The deployment, by ``load``, ``name``, ``trained``, ``token``, ``replicas``, ``cpus`` and ``gpus``.

    ``replicas`` is a number, or ``[least, most]`` to scale on the length of the queue.
    """
    replicas = settings["replicas"]
    scaling: dict[str, Any] = {"num_replicas": replicas}
    if isinstance(replicas, list):
        least, most = replicas
        # As many calls at a replica as make a batch and its successor.
        limits = {"min_replicas": least, "max_replicas": most, "target_ongoing_requests": 2 * MOST}
        scaling = {"autoscaling_config": limits}
    options = {"num_cpus": settings["cpus"], "num_gpus": settings["gpus"]}
    network = Network.options(ray_actor_options=options, **scaling)  # pyright: ignore[reportAttributeAccessIssue]
    return network.bind(settings)


def start_http(settings: dict[str, Any]) -> None:
    """The HTTP side, once per cluster."""
    options = {"host": settings["host"], "port": settings["port"], "location": settings["proxies"]}
    serve.start(http_options=options)


def up(settings: dict[str, Any]) -> None:
    """Deploys; where no cluster is named, one is started, and stays until a signal or the end of stdin."""
    address = settings["address"]
    environment = {"env_vars": {"PYTHONPATH": str(Path(__file__).parents[2])}}
    own = {
        "num_cpus": settings["clusterCpus"],
        "object_store_memory": 100 * 1024 * 1024,
        "_node_ip_address": "127.0.0.1",
    }
    ray.init(
        address=address or "local",
        runtime_env=environment,
        include_dashboard=False if address is None else None,
        log_to_driver=False,
        **(own if address is None else {}),
    )
    start_http(settings)
    serve.run(application(settings), name=APP, route_prefix="/")
    print(json.dumps({"url": f"http://{settings['host']}:{settings['port']}"}), flush=True)
    if address is not None:
        return
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=lambda: (read_to_end(0.2), ended.set()), daemon=True).start()
    ended.wait()
    serve.shutdown()
    ray.shutdown()


def down(address: str) -> None:
    """Takes the application off a cluster that goes on."""
    ray.init(address=address, log_to_driver=False)
    serve.delete(APP)


if __name__ == "__main__":
    # An actor's class is found by its module's name, which is not __main__ in a replica.
    from isotorch_worker.ray import ray_app

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if sys.argv[1] == "up":
        # The settings hold the token: they come over stdin, which nobody else reads.
        ray_app.up(json.loads(sys.stdin.readline()))
    else:
        ray_app.down(sys.argv[2])
