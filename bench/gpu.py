"""The worker's GPU path in one process: checks against the CPU and plain PyTorch, then figures.

    python3 bench/gpu.py --checkpoint FILE.pth [--device cuda|cuda:N|cpu] [--json FILE] [--quick]

Run by gpu.sh. With ``--device cpu`` every line that needs no GPU runs too: a rehearsal whose figures say
nothing about GPUs. Exit code 1 when a check failed. Times are milliseconds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import torch
from torch import Tensor

from isotorch_worker.pictures.transforms import tensor_from_pixels
from isotorch_worker.runtime import compute, model
from isotorch_worker.runtime.copy import Transfer
from isotorch_worker.runtime.device import largest_batch, select_device
from isotorch_worker.runtime.precision import apply_precision
from isotorch_worker.runtime.threads import set_threads
from isotorch_worker.tasks.image_classification import infer

SPEC = model.transforms_spec("IMAGENET1K_V1")


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        set_threads(0)
        self.quick: bool = options.quick
        self.device, self.name, _ = select_device(options.device)
        self.is_gpu = self.device.type == "cuda"
        self.on_cpu = model.load_checkpoint(Path(options.checkpoint), None)
        self.plain = model.load_checkpoint(Path(options.checkpoint), None).to(self.device)
        count = 4 if self.quick else 64
        noise = torch.Generator().manual_seed(1)
        self.pictures = list(
            torch.randint(0, 256, (count, 224, 224, 3), dtype=torch.uint8, generator=noise).split(1)
        )
        self.checks: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []

    def check(self, name: str, passed: bool, **found: Any) -> None:
        self.checks.append({"name": name, "passed": passed, **found})
        print(f"{'ok  ' if passed else 'FAIL'} {name} {found or ''}", flush=True)

    def computer(self, precision: str, most: int = 0) -> compute.Computer[infer.Ranking]:
        network = model.build()
        network.load_state_dict(self.on_cpu.state_dict())
        network = apply_precision(network, precision, self.device, 224, _log)
        made = compute.prepare(
            network,
            infer.order,
            self.device,
            SPEC,
            precision,
            most,
            torch.get_num_threads(),
            _log,
        )
        made.improve()
        return made

    # --- checks ---------------------------------------------------------------------------------------------

    def check_pixels(self) -> None:
        ramp = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3).contiguous()
        transfer = Transfer(self.device, SPEC)
        for name, pixels in (("every value", ramp), ("a picture", self.pictures[0])):
            found = transfer.to_device([pixels]).cpu()
            self.check(
                f"pixels, {name}: the CPU's bits",
                torch.equal(found, tensor_from_pixels(pixels, SPEC)),
            )

    def check_exact(self) -> list[Tensor]:
        """The plain network's logits of each picture; whether the worker's `exact` gives the same bits."""
        pictures = self.pictures[:8]
        made = self.computer("exact")
        alone = _logits(made, pictures, 1)
        together = _logits(made, pictures, len(pictures))
        again = _logits(made, pictures, len(pictures))
        plain: list[Tensor] = []
        with torch.inference_mode():
            for picture in pictures:
                batch = tensor_from_pixels(picture, SPEC).to(self.device)
                plain.append(self.plain(batch).cpu())
        expected = torch.cat(plain)
        for name, found in (
            ("alone", alone),
            ("a batch", together),
            ("the next batch", again),
        ):
            self.check(
                f"exact, {name}: plain PyTorch's bits on {self.device}",
                torch.equal(found, expected),
            )
        with torch.inference_mode():
            cpu = torch.cat([self.on_cpu(tensor_from_pixels(picture, SPEC)) for picture in pictures])
        self.check("exact against the CPU: the same best class", **_drift(expected, cpu))
        return plain

    def check_precision(self, precision: str, exact: list[Tensor]) -> compute.Computer[infer.Ranking]:
        made = self.computer(precision)
        found = _logits(made, self.pictures[:8], len(exact))
        self.check(
            f"{precision} against exact: the same best class",
            **_drift(found, torch.cat(exact)),
        )
        return made

    def check_pipeline(self, made: compute.Computer) -> None:
        """Two batches under way give what one at a time gives."""
        size = min(4, len(self.pictures))
        first = _logits(made, self.pictures[:size], size)
        second = _logits(made, self.pictures[-size:], size)
        started = [*made.run(self.pictures[:size]), *made.run(self.pictures[-size:])]
        both = torch.cat([running.finish().logits for running in started])
        self.check(
            "two batches under way: each has its own answers",
            torch.equal(both, torch.cat([first, second])),
        )

    def check_memory(self) -> None:
        """Real memory that runs out halves the batch."""
        if not self.is_gpu:
            print("skip memory that runs out: needs a GPU", flush=True)
            return
        made = self.computer("exact", 32)
        made.limit.most = made.limit.limit = 1024
        many = [self.pictures[0]] * 1024
        total = torch.cuda.get_device_properties(self.device).total_memory
        used = torch.cuda.memory_reserved(self.device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, (used + (1 << 30)) / total), self.device)
        # `exact` would try the bits of each size: only the memory is asked about here.
        made._exact = False  # pyright: ignore[reportPrivateUsage]
        count = sum(running.count for running in made.run(many) if len(running.finish().logits))
        torch.cuda.set_per_process_memory_fraction(1.0, self.device)
        self.check(
            "memory that runs out: halved, all answered",
            count == len(many) and made.limit.limit < 1024,
            limit=made.limit.limit,
        )

    # --- figures --------------------------------------------------------------------------------------------

    def measure(self, name: str, made: compute.Computer, sizes: list[int]) -> None:
        for size in sizes:
            ours = _throughput(made, self.pictures, size)
            single = _throughput(made, self.pictures[:size], size)
            rival = self._plain_loop(size)
            # What a size needs once (trials, graphs, kernels) is done before the clock runs.
            ours(), rival()
            pairs = [(ours(), rival()) for _ in range(2 if self.quick else 9)]
            ratios = [a / b for a, b in pairs]
            row = {
                "precision": name,
                "batch": size,
                "picturesPerSecond": statistics.median(a for a, _ in pairs),
                "plainPicturesPerSecond": statistics.median(b for _, b in pairs),
                "ratio": statistics.median(ratios),
                "spread": [min(ratios), max(ratios)],
                "latencyMs": 1000 * size / statistics.median(single() for _ in range(3)),
                "batchLimit": made.limit.limit,
            }
            self.rows.append(row)
            print(
                f"{name:12} batch {size:3}  {row['picturesPerSecond']:9.1f} pictures/s  plain "
                f"{row['plainPicturesPerSecond']:9.1f}  ratio {row['ratio']:.2f} "
                f"({row['spread'][0]:.2f} to {row['spread'][1]:.2f})  one batch {row['latencyMs']:.1f} ms",
                flush=True,
            )

    def _plain_loop(self, size: int) -> Callable[[], float]:
        """What one writes without isotorch: float32 tensors to the device, one batch after the other."""
        tensors = [tensor_from_pixels(picture, SPEC) for picture in self.pictures]

        def run() -> float:
            began = time.perf_counter()
            with torch.inference_mode():
                for start in range(0, len(tensors), size):
                    out = self.plain(torch.cat(tensors[start : start + size]).to(self.device))
                    percentages = torch.nn.functional.softmax(out, dim=1) * 100
                    torch.sort(out, descending=True)[1].cpu(), percentages.cpu()
            return len(tensors) / (time.perf_counter() - began)

        return run


def _throughput(made: compute.Computer, pictures: list[Tensor], size: int) -> Callable[[], float]:
    """Pictures per second, uint8 in this process's memory to rankings, as serve.py keeps them under way."""

    def run() -> float:
        under_way: deque[compute.Running] = deque()
        began = time.perf_counter()
        for start in range(0, len(pictures), size):
            for running in made.run(pictures[start : start + size]):
                under_way.append(running)
                while len(under_way) >= made.depth:
                    under_way.popleft().finish()
        while under_way:
            under_way.popleft().finish()
        return len(pictures) / (time.perf_counter() - began)

    return run


def _logits(made: compute.Computer, pictures: list[Tensor], size: int) -> Tensor:
    parts = [
        running.finish().logits
        for start in range(0, len(pictures), size)
        for running in made.run(pictures[start : start + size])
    ]
    return torch.cat(parts)


def _drift(found: Tensor, wanted: Tensor) -> dict[str, Any]:
    agree = (found.argmax(1) == wanted.argmax(1)).float().mean().item()
    return {
        "passed": agree == 1.0,
        "top1Agreement": round(agree, 4),
        "largestLogitDifference": float((found - wanted).abs().max()),
        "largestLogit": float(wanted.abs().max()),
    }


def _log(level: str, text: str) -> None:
    print(f"     [{level}] {text}", flush=True)


def _machine(bench: Bench) -> dict[str, Any]:
    return {
        "device": str(bench.device),
        "name": bench.name,
        "rehearsal": not bench.is_gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tf32Convolution": torch.backends.cudnn.allow_tf32,
        "largestBatch": largest_batch(bench.device, 224),
        "threads": torch.get_num_threads(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="The worker's GPU path: checks and figures.")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="few pictures, small batches")
    options = parser.parse_args()
    bench = Bench(options)
    machine = _machine(bench)
    print(json.dumps(machine), flush=True)
    if not bench.is_gpu:
        print("A rehearsal on the CPU: the figures say nothing about GPUs.", flush=True)
    bench.check_pixels()
    exact = bench.check_exact()
    sizes = [1, 2] if bench.quick else [1, 2, 4, 8, 16, 32]
    bench.measure("exact", bench.computer("exact"), sizes)
    # bf16 takes seconds per picture on a CPU without it, and fp16 does not compute there at all.
    for precision in ("fused", "bf16", "fp16") if bench.is_gpu else ("fused",):
        made = bench.check_precision(precision, exact)
        bench.check_pipeline(made)
        bench.measure(precision, made, sizes)
    if bench.is_gpu:
        torch.backends.cudnn.benchmark = True
        bench.measure("fp16 tuned", bench.computer("fp16"), sizes)
        torch.backends.cudnn.benchmark = False
    bench.check_memory()
    if options.json is not None:
        found = {"machine": machine, "checks": bench.checks, "rows": bench.rows}
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 0 if all(check["passed"] for check in bench.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
