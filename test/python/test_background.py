"""What is imported on a thread: its end is waited for, and its failure is told to whoever waits."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from isotorch_worker.background import BackgroundImport

PYTHON = Path(__file__).parents[2] / "python"


def test_what_a_load_needs_is_imported_and_nothing_of_torch_is_replaced():
    script = (
        f"import sys; sys.path.insert(0, {str(PYTHON)!r})\n"
        "from isotorch_worker.background import BackgroundImport\n"
        "from isotorch_worker.tasks.registry import registry\n"
        "assert 'torch' not in sys.modules\n"
        "imports = BackgroundImport(registry().imports); finders = list(sys.meta_path); imports.finish()\n"
        "ours = ['isotorch_worker.runtime.' + name for name in ('model', 'threads')]\n"
        "names = ('torch', 'torchvision', *ours)\n"
        "print([name in sys.modules for name in names], finders[0] in sys.meta_path)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[True, True, True, True] True\n"


def test_what_an_import_on_the_thread_raised_is_raised_to_whoever_waits():
    imports = BackgroundImport(("no_such_module",))
    for _ in range(2):
        with pytest.raises(ImportError, match="no_such_module"):
            imports.finish()
    assert gc.isenabled()


def test_garbage_is_collected_again_after_the_import():
    BackgroundImport(("protocol.errors",)).finish()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
