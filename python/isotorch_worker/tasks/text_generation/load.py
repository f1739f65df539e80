"""From a `load` to a network that continues texts: device, configuration, checkpoint, warm-up."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isotorch_worker.background import BackgroundImport
from isotorch_worker.base.told import brief
from isotorch_worker.channel import Channel
from isotorch_worker.checkpoints.checkpoint import CheckpointReader, made_digest
from isotorch_worker.protocol.errors import InvalidOption, WeightsNotFound
from isotorch_worker.protocol.wire import Message, byte_frame
from isotorch_worker.runtime.load import Loading
from isotorch_worker.tasks.text_generation.config import MOST_BYTES, Config, read_config
from isotorch_worker.tasks.text_generation.session import Session

if TYPE_CHECKING:
    from isotorch_worker.tasks.text_generation.gpt2 import Gpt2

# A network of sizes of its own.
_UNNAMED = "gpt2"
# Requests at once: each is computed by itself.
_AT_ONCE = 1
# With the reference BLAS each takes 16 ms on two idle CPUs.
_PRODUCTS = 2


def load(
    channel: Channel, message: Message, imports: BackgroundImport | None = None
) -> tuple[Session, Message]:
    """The session and the `ready` message; raises the WorkerError that says why there is none."""
    wanted = message.fields
    if wanted["precision"] != "exact":
        raise InvalidOption(f"precision: texts are computed in exact alone, received {wanted['precision']}")
    path, seed = Path(wanted["checkpoint"]), wanted["seed"]
    loading = Loading(channel, message)
    config, remarks = _config(Path(wanted["network"]["config"]))
    loading.progress("import")
    # What is there is read and hashed while torch is imported; a made checkpoint may have to be made first.
    digest: str | None = wanted["sha256"] or (None if seed is None else made_digest(path))
    reader = CheckpointReader(path, digest) if seed is None or digest is not None else None
    if imports is not None:
        imports.finish()
    import torch

    from isotorch_worker.environment import probe
    from isotorch_worker.environment.product import time_product
    from isotorch_worker.runtime import device as devices
    from isotorch_worker.runtime.threads import set_threads
    from isotorch_worker.tasks.text_generation import untrained, weights
    from isotorch_worker.tasks.text_generation.reference import reference_for

    threads, threads_reason = set_threads(wanted["threads"])
    device, device_name, device_reason = devices.select_device(wanted["device"])
    reference = reference_for(str(torch.__version__))
    if reader is None:
        # Only after the device: making takes seconds, a wrong device is found out at once.
        loading.progress("make")
        reader = CheckpointReader(path, untrained.ensure_untrained(path, seed, config))
    contents, sha256 = loading.read(reader)
    loading.progress("load")
    network, prefix, decided = weights.fill(contents, config, reference)
    # The network has its own copy: the file's bytes go back to the system here.
    del contents
    network.to(device)
    loading.progress("warm-up")
    warmup = _warm_up(network)
    fields: dict[str, Any] = {
        "versions": probe.runtime_versions(),
        "device": str(device),
        "deviceName": device_name,
        "deviceReason": loading.reason(device_reason),
        "threads": threads,
        "threadsReason": threads_reason,
        "precision": wanted["precision"],
        "model": wanted["model"] or _UNNAMED,
        "sha256": sha256,
        "checkpointKey": "",
        "prefix": prefix,
        "network": {
            "vocabulary": config.vocabulary,
            "context": config.positions,
            "layers": config.layers,
            "heads": config.heads,
            "width": config.width,
            "headRows": reference.head,
            "reference": reference.text,
        },
        "maxBatch": _AT_ONCE,
        "warmupMs": warmup,
        "blasGflops": time_product(_PRODUCTS)["gflops"] if device.type == "cpu" else None,
    }
    frames = byte_frame("remarks", json.dumps([*remarks, *decided], ensure_ascii=False).encode("utf-8"))
    return Session(network), Message("ready", message.id, channel.generation, fields, frames)


def _config(path: Path) -> tuple[Config, list[str]]:
    """What the file at ``path`` says. Raises WeightsNotFound where there is none, and as ``read_config``."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WeightsNotFound(f"{brief(path)} cannot be read: {brief(reason)}") from None
    return read_config(data)


def _warm_up(network: Gpt2) -> float:
    """Make the device compute one token; returns the milliseconds that it took."""
    import torch

    from isotorch_worker.tasks.text_generation.gpt2 import Cache
    from isotorch_worker.tasks.text_generation.sampling import ids_of

    started = time.perf_counter()
    with torch.inference_mode():
        network.next_logits(network(ids_of([0], network.wte.weight.device), Cache())).sum().item()
    return (time.perf_counter() - started) * 1000
