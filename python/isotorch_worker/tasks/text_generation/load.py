"""From a `load` to a network that continues texts: device, configuration, checkpoint, warm-up."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isotorch_worker.background import BackgroundImport
from isotorch_worker.base.files import write_whole
from isotorch_worker.base.told import brief
from isotorch_worker.channel import Channel
from isotorch_worker.checkpoints.checkpoint import CheckpointReader
from isotorch_worker.protocol.errors import InvalidOption, WeightsNotFound
from isotorch_worker.protocol.wire import Message, byte_frame
from isotorch_worker.runtime.load import Loading
from isotorch_worker.tasks.text_generation.config import MOST_BYTES, SIZES, Config, named_size, read_config
from isotorch_worker.tasks.text_generation.session import Session

if TYPE_CHECKING:
    from isotorch_worker.tasks.text_generation.gpt2 import Gpt2

# Requests at once: each is computed by itself.
_AT_ONCE = 1


def load(
    channel: Channel, message: Message, imports: BackgroundImport | None = None
) -> tuple[Session, Message]:
    """The session and the `ready` message; raises the WorkerError that says why there is none."""
    wanted = message.fields
    if wanted["precision"] != "exact":
        raise InvalidOption(f"precision: texts are computed in exact alone, received {wanted['precision']}")
    path, seed, name = Path(wanted["checkpoint"]), wanted["seed"], wanted["model"]
    loading = Loading(channel, message)
    config, remarks = _config(Path(wanted["network"]["config"]), name if seed is not None else None)
    digest: str | None = wanted["sha256"]
    if seed is not None:
        from isotorch_worker.tasks.text_generation import untrained

        loading.progress("make")
        digest = untrained.ensure_untrained(path, seed, config)
    loading.progress("import")
    # What is there is read and hashed while torch is imported.
    reader = CheckpointReader(path, digest)
    if imports is not None:
        imports.finish()
    import torch

    from isotorch_worker.environment import probe
    from isotorch_worker.runtime import device as devices
    from isotorch_worker.runtime.threads import set_threads
    from isotorch_worker.tasks.text_generation import weights
    from isotorch_worker.tasks.text_generation.reference import reference_for

    threads, threads_reason = set_threads(wanted["threads"])
    device, device_name, device_reason = devices.select_device(wanted["device"])
    reference = reference_for(str(torch.__version__))
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
        "model": name or _name_of(config),
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
    }
    frames = byte_frame("remarks", json.dumps([*remarks, *decided], ensure_ascii=False).encode("utf-8"))
    return Session(network), Message("ready", message.id, channel.generation, fields, frames)


def _config(path: Path, made: str | None) -> tuple[Config, list[str]]:
    """What the file at ``path`` says; of a network that is ``made`` by its name it is made as well.

    Raises WeightsNotFound where there is none, and as ``read_config``.
    """
    if made is not None and not path.exists():
        text = json.dumps(named_size(made).as_json(), indent=2) + "\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode("ascii"))
        except OSError as error:
            raise WeightsNotFound(
                f"{brief(path)} cannot be written: {brief(error.strerror or error)}"
            ) from None
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WeightsNotFound(
            f"{brief(path)} cannot be read: {brief(reason)}", "a network needs its config.json"
        ) from None
    return read_config(data)


def _name_of(config: Config) -> str:
    """The name of GPT-2 of these sizes; ``gpt2`` for any other."""
    return next((name for name, size in SIZES.items() if size == config), "gpt2")


def _warm_up(network: Gpt2) -> float:
    """Make the device compute one token; returns the milliseconds that it took."""
    import torch

    from isotorch_worker.tasks.text_generation.gpt2 import Cache
    from isotorch_worker.tasks.text_generation.sampling import ids_of

    started = time.perf_counter()
    with torch.inference_mode():
        network.next_logits(ids_of([0], network.wte.weight.device), Cache()).sum().item()
    return (time.perf_counter() - started) * 1000
