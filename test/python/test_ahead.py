"""Imports that are put off or made ahead: nothing that is told or computed may differ for it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import pytest

from isotorch_worker import ahead, library

PYTHON = Path(__file__).parents[2] / "python"

TELL = """
import json, sys, torch, torchvision.models
from isotorch_worker import model
present = [name for name in ahead.DEFERRED if name in sys.modules]  # torch 1.12 has not all of them
lazy = lambda: [name for name in present if type(sys.modules[name]).__name__ == "_LazyModule"]
def meta():
    try:
        return list(torch.nn.functional.relu(torch.empty(2, 3, device="meta")).shape)
    except NotImplementedError as error:  # torch 1.12 cannot do that
        return type(error).__name__
print(json.dumps({
    "torch": torch.__version__,
    "models": model.model_names(),
    "categories": model.categories("IMAGENET1K_V1"),
    "keys": list(model.build().state_dict()),
    "lazy": lazy(),
    "after": (ahead.complete(), lazy())[1],
    "meta": meta(),
    "datasets": len(dir(torchvision.datasets)),
}))
"""


def tell(first: str) -> dict:
    script = (
        f"import sys; sys.path.insert(0, {str(PYTHON)!r})\nfrom isotorch_worker import ahead\n{first}\n{TELL}"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_what_is_put_off_changes_neither_the_models_nor_the_network_and_runs_when_it_is_used():
    plain, deferred = tell(""), tell("ahead.defer()")
    lazy = deferred.pop("lazy")
    assert set(lazy) <= set(ahead.DEFERRED)
    # Current versions use most of them while they are imported, so that little is put off there.
    if deferred["torch"].startswith("1.13"):
        assert set(lazy) == set(ahead.DEFERRED)
    assert plain.pop("lazy") == []
    assert deferred == plain
    assert deferred["after"] == []


LOAD = """
import threading, sys, pathlib
from isotorch_worker import library
thread = library.load_beside()
turns = 0
while thread.is_alive():
    turns += 1
maps = pathlib.Path("/proc/self/maps").read_text()
print(turns, "libtorch" in maps, "torch" in sys.modules)
import torch
print(float(torch.ones(2).sum()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch loads its library as it is imported")
def test_the_native_library_is_loaded_while_python_goes_on():
    script = f"import sys; sys.path.insert(0, {str(PYTHON)!r})\n{LOAD}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    turns, is_loaded, is_imported, total = done.stdout.split()
    assert (is_loaded, is_imported, total) == ("True", "False", "2.0")
    # With the interpreter's lock held there would be one or two.
    assert int(turns) > 100


@pytest.mark.parametrize("is_there", [False, True], ids=["no torch", "a torch without a library"])
def test_a_torch_without_a_library_is_left_to_its_import(tmp_path, monkeypatch, is_there):
    origin = str(tmp_path / "torch" / "__init__.py")
    found = ModuleSpec("torch", None, origin=origin) if is_there else None
    monkeypatch.setattr(library, "PathFinder", SimpleNamespace(find_spec=lambda _: found))
    thread = library.load_beside()
    assert (thread is not None) == (is_there and sys.platform == "linux")
    if thread is not None:
        thread.join()


def test_what_an_import_on_the_thread_raised_is_raised_to_whoever_waits(monkeypatch):
    monkeypatch.setattr(ahead, "_MODULES", ("no_such_module",))
    imports = ahead.Ahead()
    for _ in range(2):
        with pytest.raises(ImportError, match="no_such_module"):
            imports.finish()
