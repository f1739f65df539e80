"""Checkpoints that are made: whole files, the same for everyone, sane answers."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision

from controller import MAIN
from isotorch_worker.base.lock import try_lock
from isotorch_worker.protocol.errors import CheckpointCorrupt, WeightsNotFound
from isotorch_worker.tasks.image_classification import untrained
from isotorch_worker.tasks.image_classification.untrained import ensure_untrained, make_untrained


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WeightsNotFound, match="cannot be written"):
        make_untrained(tmp_path / "file" / "u.pth", 1)


def test_a_file_without_its_hash_is_refused(tmp_path):
    (tmp_path / "u.pth").write_bytes(b"something")
    with pytest.raises(CheckpointCorrupt, match=r"u\.pth\.sha256"):
        ensure_untrained(tmp_path / "u.pth", 1)
    assert (tmp_path / "u.pth").read_bytes() == b"something"


def test_two_processes_that_make_the_same_file_leave_one_good_file(tmp_path):
    path = tmp_path / "u.pth"
    # Each would make another one, and is at it until the other has come. PyTorch is imported once for both.
    script = (
        f"import sys; sys.path.insert(0, {str(MAIN.parent.parent)!r})\n"
        "import os, time\n"
        "from pathlib import Path\n"
        "from isotorch_worker.tasks.image_classification import untrained\n"
        "def state(seed, model):\n"
        f"    while len(list(Path({str(tmp_path)!r}).glob('*.here'))) < 2: time.sleep(0.01)\n"
        "    time.sleep(0.2)\n"
        "    return {'pid': os.getpid()}\n"
        "untrained.untrained_state = state\n"
        "child = os.fork()\n"
        f"Path({str(tmp_path)!r}, f'{{os.getpid()}}.here').touch()\n"
        f"print(untrained.ensure_untrained(Path({str(path)!r}), 3), flush=True)\n"
        "sys.exit(child and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split()
    assert len(answers) == 2
    assert set(answers) == {hashlib.sha256(path.read_bytes()).hexdigest()}
    assert len(list(tmp_path.glob("*.here"))) == 2
    left = sorted(entry.name for entry in tmp_path.iterdir() if entry.suffix != ".here")
    assert left == ["u.pth", "u.pth.sha256"]


def test_what_a_killed_maker_had_begun_is_swept_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(untrained, "untrained_state", lambda seed, _model: {"seed": seed})
    begun = [tmp_path / f".{name}.{'0' * 32}" for name in ("u.pth", "u.pth.sha256", "other.pth")]
    at_work = tmp_path / f".held.pth.{'1' * 32}"
    not_ours = tmp_path / ".u.pth.swp"
    for file in [*begun, at_work, not_ours]:
        file.write_bytes(b"half")
    lock = try_lock(tmp_path / "held.pth.lock")
    assert lock is not None
    ensure_untrained(tmp_path / "u.pth", 3)
    assert [file.exists() for file in begun] == [False, False, False]
    assert at_work.exists()
    assert not_ours.exists()
    lock.release()


def test_plain_torchvision_loads_it_and_answers_sanely(tmp_path):
    path = tmp_path / "u.pth"
    make_untrained(path, 7)
    network = torchvision.models.resnet101(weights=None)
    network.load_state_dict(torch.load(path))
    network.eval()
    generator = torch.Generator().manual_seed(9)
    coarse = torch.randn(4, 3, 14, 14, generator=generator)
    pictures = torch.nn.functional.interpolate(coarse, size=(224, 224), mode="bilinear", align_corners=False)
    with torch.no_grad():
        logits = network(pictures)
    largest = logits.abs().max(dim=1).values
    assert bool(((largest > 0.5) & (largest < 40)).all()), largest
    assert len(set(logits.argmax(dim=1).tolist())) > 1


def test_the_hash_file_is_what_sha256sum_checks(checkpoint: Path):
    line = checkpoint.with_name(checkpoint.name + ".sha256").read_text()
    assert line == f"{hashlib.sha256(checkpoint.read_bytes()).hexdigest()}  {checkpoint.name}\n"
