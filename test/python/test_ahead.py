"""Imports that are put off or made ahead: nothing that is told or computed may differ for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from isotorch_worker import ahead

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
    # Current versions use both while they are imported, so that nothing is put off there.
    if deferred["torch"].startswith("1.13"):
        assert set(lazy) == set(ahead.DEFERRED)
    assert plain.pop("lazy") == []
    assert deferred == plain
    assert deferred["after"] == []


def test_what_an_import_on_the_thread_raised_is_raised_to_whoever_waits(monkeypatch):
    monkeypatch.setattr(ahead, "_MODULES", ("no_such_module",))
    imports = ahead.Ahead()
    for _ in range(2):
        with pytest.raises(ImportError, match="no_such_module"):
            imports.finish()
