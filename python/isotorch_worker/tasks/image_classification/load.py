"""From a `load` to a network that classifies: device, checkpoint, precision, warm-up."""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from isotorch_worker.background import BackgroundImport
from isotorch_worker.channel import Channel
from isotorch_worker.checkpoints.checkpoint import CheckpointReader, made_digest
from isotorch_worker.pictures.spec import crop_size
from isotorch_worker.protocol.wire import Message, byte_frame
from isotorch_worker.runtime.load import Loading
from isotorch_worker.tasks.image_classification.session import Session

# What the load itself imports below. PyTorch comes first: all else is quick beside it.
IMPORTS = (
    "runtime.compute",
    "runtime.device",
    "pictures.transforms",
    "tasks.image_classification.infer",
    "tasks.image_classification.job",
    "runtime.model",
    "runtime.precision",
    "environment.probe",
    "runtime.threads",
    "checkpoints.untrained",
)
_SMALL = 32


def load(
    channel: Channel, message: Message, imports: BackgroundImport | None = None
) -> tuple[Session, Message]:
    """The session and the `ready` message; raises the WorkerError that says why there is none."""
    wanted = message.fields
    path = Path(wanted["checkpoint"])
    loading = Loading(channel, message)
    loading.progress("import")
    # What is there is read and hashed while torch is imported; a made checkpoint may have to be made first.
    seed: int | None = wanted["seed"]
    digest: str | None = wanted["sha256"] or (None if seed is None else made_digest(path))
    is_there = seed is None or digest is not None
    reader = CheckpointReader(path, digest, wanted["trust"] and seed is None) if is_there else None
    if imports is not None:
        imports.finish()
    from isotorch_worker.checkpoints import untrained
    from isotorch_worker.environment import probe
    from isotorch_worker.pictures import attest
    from isotorch_worker.runtime import compute, model, precision
    from isotorch_worker.runtime import device as devices
    from isotorch_worker.runtime.threads import set_threads
    from isotorch_worker.tasks.image_classification import infer

    threads, threads_reason = set_threads(wanted["threads"])
    spec = model.transforms_spec(wanted["transforms"], wanted["model"])
    device, device_name, device_reason = devices.select_device(wanted["device"])
    if reader is None:
        # Only after the device: making takes seconds, a wrong device is found out at once.
        loading.progress("make")
        made = untrained.ensure_untrained(path, cast("int", seed))
        reader = CheckpointReader(path, made, trust=False)
    beside = ThreadPoolExecutor(1, "attest")
    attested = beside.submit(attest.attestation, spec)
    beside.shutdown(wait=False)
    contents, sha256 = loading.read(reader)
    loading.progress("build")
    network = model.build(wanted["model"])
    loading.progress("load")
    model.load_state(network, contents.state_dict())
    # The network has its own copy: the file's bytes go back to the system here.
    del contents
    network = precision.apply_precision(network, wanted["precision"], device, spec["crop"], loading.tell)
    computer = compute.prepare(
        network, infer.order, device, spec, wanted["precision"], wanted["maxBatch"], threads, channel.log
    )
    channel.make_room(computer.limit.most, 3 * math.prod(crop_size(spec)) * 4)
    if (warning := precision.caution(wanted["precision"], device)) is not None:
        loading.tell("warning", warning)
    loading.progress("warm-up")
    session = Session(network, device, spec, computer)
    warmup = _warm_up(session, wanted["precision"])
    fields: dict[str, Any] = {
        "versions": probe.runtime_versions(),
        "device": str(device),
        "deviceName": device_name,
        "deviceReason": loading.reason(device_reason),
        "threads": threads,
        "threadsReason": threads_reason,
        "precision": wanted["precision"],
        "sha256": sha256,
        "spec": spec,
        "maxBatch": computer.limit.most,
        "warmupMs": warmup,
    }
    frames = {
        **byte_frame("categories", _json(model.categories(wanted["transforms"], wanted["model"]))),
        **byte_frame("models", _json(model.model_names())),
        **byte_frame("attestation", json.dumps(attested.result()).encode()),
    }
    return session, Message("ready", message.id, channel.generation, fields, frames)


def _warm_up(session: Session, precision: str) -> float:
    """Make the device compute; returns the milliseconds that it took.

    On the CPU, at ``exact``, that is one convolution of the network: a whole pass takes as long as a picture
    and makes the first picture no faster.
    """
    import torch

    from isotorch_worker.tasks.image_classification import infer

    started = time.perf_counter()
    if session.device.type == "cpu" and precision == "exact":
        first = next(module for module in session.network.modules() if isinstance(module, torch.nn.Conv2d))
        with torch.inference_mode():
            first(torch.zeros(1, 3, _SMALL, _SMALL, dtype=first.weight.dtype)).sum().item()
    else:
        infer.forward(session.network, torch.zeros(1, 3, *crop_size(session.spec)), session.device).cpu()
    return (time.perf_counter() - started) * 1000


def _json(names: list[str]) -> bytes:
    return json.dumps(names, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
