"""What this worker can do. Nothing here imports torch: a worker that only decodes pictures never does."""

from __future__ import annotations

from isotorch_worker.pictures.picture_pool import Pictures
from isotorch_worker.task import Registry
from isotorch_worker.tasks.attestation import Attestation
from isotorch_worker.tasks.image_classification import load
from isotorch_worker.tasks.image_classification.classification import ImageClassification
from isotorch_worker.tasks.picture_decoding import PictureDecoding
from isotorch_worker.tasks.text_generation import load as text_load
from isotorch_worker.tasks.text_generation.text import TextGeneration, TextInspection


def registry() -> Registry:
    """The tasks, by the message that asks for them, and the loads, by what they are for."""
    pictures = Pictures()
    return Registry(
        tasks={
            "classify": ImageClassification(pictures),
            "decode": PictureDecoding(pictures),
            "attest": Attestation(),
            "generate": TextGeneration(),
            "inspect": TextInspection(),
        },
        loads={"image-classification": load.load, "text-generation": text_load.load},
        kept=(pictures,),
        imports=load.IMPORTS,
    )
