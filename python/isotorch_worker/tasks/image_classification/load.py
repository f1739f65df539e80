"""From a `load` to a network that classifies: device, checkpoint, precision, warm-up."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from isotorch_worker.background import BackgroundImport
from isotorch_worker.base.told import brief
from isotorch_worker.channel import Channel
from isotorch_worker.checkpoints.checkpoint import CheckpointReader, made_digest
from isotorch_worker.checkpoints.networks import Fit
from isotorch_worker.pictures.spec import crop_size
from isotorch_worker.protocol.errors import InvalidOption
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
    "environment.product",
    "runtime.threads",
    "tasks.image_classification.embedding",
    "tasks.image_classification.network",
    "tasks.image_classification.untrained",
)
_SMALL = 32
# With the reference BLAS each takes 16 ms on two idle CPUs.
_PRODUCTS = 2
IMAGENET = 1000


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
    reader = CheckpointReader(path, digest) if is_there else None
    if imports is not None:
        imports.finish()
    from isotorch_worker.environment import probe
    from isotorch_worker.environment.product import time_product
    from isotorch_worker.pictures import attest
    from isotorch_worker.runtime import compute, model, precision
    from isotorch_worker.runtime import device as devices
    from isotorch_worker.runtime.build import builder
    from isotorch_worker.runtime.threads import set_threads
    from isotorch_worker.tasks.image_classification import infer, network, untrained
    from isotorch_worker.tasks.image_classification.embedding import with_embedding

    threads, threads_reason = set_threads(wanted["threads"])
    name: str | None = wanted["model"]
    if name is not None:
        # Before the file is read: whether this torchvision has it, and the weights.
        builder(name)
    preprocessing = None if name is None else _preprocessing(wanted["network"], name, None)
    device, device_name, device_reason = devices.select_device(wanted["device"])
    if reader is None:
        # Only after the device: making takes seconds, a wrong device is found out at once.
        loading.progress("make")
        made = untrained.ensure_untrained(path, cast("int", seed), cast("str", name))
        reader = CheckpointReader(path, made)
    beside = ThreadPoolExecutor(1, "attest")
    attested = None if preprocessing is None else beside.submit(attest.attestation, preprocessing[1])
    contents, sha256 = loading.read(reader)
    loading.progress("build")
    filled = network.fill(contents, name, wanted["checkpointKey"])
    loading.progress("load")
    # The network has its own copy: the file's bytes go back to the system here.
    del contents
    fit = filled.fit
    transforms, spec = _preprocessing(wanted["network"], fit.model, fit.image_size)
    if attested is None or (transforms, spec) != preprocessing:
        attested = beside.submit(attest.attestation, spec)
    beside.shutdown(wait=False)
    _check_size(fit, spec)
    both, embedding = with_embedding(filled.network, fit.model)
    computing = precision.apply_precision(both, wanted["precision"], device, spec["crop"], loading.tell)
    computer = compute.prepare(
        computing,
        infer.output(fit.classes),
        device,
        spec,
        wanted["precision"],
        wanted["maxBatch"],
        threads,
        channel.log,
    )
    channel.make_room(computer.limit.most, 3 * math.prod(crop_size(spec)) * 4)
    if (warning := precision.caution(wanted["precision"], device)) is not None:
        loading.tell("warning", warning)
    loading.progress("warm-up")
    session = Session(computing, device, spec, computer)
    warmup = _warm_up(session, wanted["precision"] == "exact" and wanted["network"]["spec"] is None)
    fields: dict[str, Any] = {
        "versions": probe.runtime_versions(),
        "device": str(device),
        "deviceName": device_name,
        "deviceReason": loading.reason(device_reason),
        "threads": threads,
        "threadsReason": threads_reason,
        "precision": wanted["precision"],
        "model": fit.model,
        "sha256": sha256,
        "checkpointKey": filled.key,
        "prefix": filled.prefix,
        "network": {
            "classes": fit.classes,
            "embedding": embedding,
            "transforms": transforms,
            "spec": spec,
        },
        "maxBatch": computer.limit.most,
        "warmupMs": warmup,
        "blasGflops": time_product(_PRODUCTS)["gflops"] if device.type == "cpu" else None,
    }
    frames = {
        **byte_frame("categories", _json(_categories(fit))),
        **byte_frame("models", _json(model.model_names())),
        **byte_frame("attestation", json.dumps(attested.result()).encode()),
        **byte_frame("remarks", _json(filled.remarks)),
    }
    return session, Message("ready", message.id, channel.generation, fields, frames)


def _preprocessing(
    wanted: dict[str, Any], name: str, image_size: int | None
) -> tuple[str | None, dict[str, Any]]:
    """What was asked for, or that of the network's own weights: the weights' name, if any, and the spec."""
    from isotorch_worker.runtime.model import default_transforms, transforms_spec

    if wanted["spec"] is not None:
        return None, wanted["spec"]
    transforms = wanted["transforms"] or default_transforms(name, image_size)
    return transforms, transforms_spec(transforms, name)


def _categories(fit: Fit) -> list[str]:
    """ImageNet's names for a head of its thousand classes; for any other none but numbers."""
    from isotorch_worker.runtime.model import categories, weights_names

    if fit.classes != IMAGENET:
        return [f"class {number}" for number in range(fit.classes)]
    return categories(weights_names(fit.model)[0], fit.model)


def _check_size(fit: Fit, spec: dict[str, Any]) -> None:
    """Raises InvalidOption where a network of one size of pictures would be given others."""
    if fit.image_size is not None and crop_size(spec) != (fit.image_size, fit.image_size):
        raise InvalidOption(
            f"transforms: this {fit.model} takes pictures of {fit.image_size} x {fit.image_size} "
            f"pixels, and the crop is {spec['crop']}",
            "leave `transforms` out, or give a crop of that size",
        )


def _warm_up(session: Session, briefly: bool) -> float:
    """Make the device compute; returns the milliseconds that it took.

    On the CPU, ``briefly``, that is one convolution of the network: a whole pass takes as long as a picture
    and makes the first picture no faster. Raises InvalidOption where the network cannot take its pictures.
    """
    import torch

    from isotorch_worker.runtime.device import is_out_of_memory
    from isotorch_worker.tasks.image_classification import infer

    started = time.perf_counter()
    if session.device.type == "cpu" and briefly:
        first = next(module for module in session.network.modules() if isinstance(module, torch.nn.Conv2d))
        with torch.inference_mode():
            first(torch.zeros(1, 3, _SMALL, _SMALL, dtype=first.weight.dtype)).sum().item()
        return (time.perf_counter() - started) * 1000
    height, width = crop_size(session.spec)
    try:
        infer.forward(session.network, torch.zeros(1, 3, height, width), session.device).cpu()
    except RuntimeError as error:
        if is_out_of_memory(error) or session.is_broken():
            raise
        raise InvalidOption(
            f"transforms: the network does not take pictures of {height} x {width} pixels: {brief(error)}",
            "give a larger crop; torchvision's own preprocessing always fits",
        ) from None
    return (time.perf_counter() - started) * 1000


def _json(names: Sequence[str]) -> bytes:
    return json.dumps(names, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
