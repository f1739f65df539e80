"""Millions of pictures on a Ray cluster with Ray Data, without HTTP.

    PYTHONPATH=python python examples/ray_data.py PICTURES_FOLDER CHECKPOINT.pth OUT_FOLDER

Needs `pip install "ray[data]"` beside PyTorch, with "numpy<2" "pyarrow<20" for a torch before 2.3. Actors
load and compute with the worker's own code; Pillow decodes and torchvision's transforms preprocess, so the
answers have the worker's bits. Lines are JSON, in a file per block, in Ray's order; unlike with `isotorch
classify --out` a run that was ended starts over.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import ray
import torch

from isotorch_worker.pictures.transforms import tensor_from_encoded
from isotorch_worker.protocol.errors import WorkerError
from isotorch_worker.runtime import model, threads
from isotorch_worker.tasks.image_classification import infer

THREADS = 2
# Reading and writing wait for disks; a share of a CPU is kept for them, or two CPUs would wait for a third.
READ = {"num_cpus": 0.25}


class Classifier:
    def __init__(self, checkpoint: str, sha256: str) -> None:
        threads.set_threads(THREADS)
        self.network = model.load_checkpoint(Path(checkpoint), sha256)
        self.spec = model.transforms_spec("IMAGENET1K_V1")
        self.labels = model.categories("IMAGENET1K_V1")

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            tensor = tensor_from_encoded(row["bytes"], self.spec)
        except WorkerError as error:
            return {"input": row["path"], "error": {"code": error.code, "message": error.message}}
        logits = infer.forward(self.network, tensor, torch.device("cpu"))
        ranking = infer.order(logits).part(slice(0, 1), 5)
        top = [
            {"label": self.labels[index], "index": index, "score": score, "percent": percent}
            for index, score, percent in zip(
                ranking.indices[0].tolist(), ranking.scores[0].tolist(), ranking.percentages[0].tolist()
            )
        ]
        return {"input": row["path"], "top": top}


def main(folder: str, checkpoint: str, out: str) -> None:
    sha256 = hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest()
    pictures = ray.data.read_binary_files(folder, include_paths=True, ray_remote_args=READ)
    answers = pictures.map(
        Classifier,
        fn_constructor_args=(checkpoint, sha256),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=8),
        num_cpus=THREADS - 2 * READ["num_cpus"],
    )
    # As many digits as JSON gets from pandas; a float32 needs nine that count.
    answers.write_json(out, ray_remote_args=READ, double_precision=15)


if __name__ == "__main__":
    main(*sys.argv[1:4])
