"""The worker of tiny_worker.py, with the picture processes of odd_pictures.py."""

import os
from pathlib import Path

import tiny_worker
from isotorch_worker import __main__
from isotorch_worker.pictures import picture_child

if __name__ == "__main__":
    picture_child.PROGRAM = Path(__file__).with_name("odd_pictures.py")
    os._exit(__main__.main(["serve"], tiny_worker.tiny))
