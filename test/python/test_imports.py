"""Imports that fail are told from other errors, by package and in one line."""

from __future__ import annotations

import importlib
import sys

import pytest

from isotorch_worker.imports import import_failure, reason

STORY = "\n\nIMPORTANT: PLEASE READ THIS FOR ADVICE\n" + "Importing the extensions failed. " * 20


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Makes a package with some code that cannot be imported; returns what its import raised."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def attempt(code: str, name: str = "broken_package") -> BaseException:
        (tmp_path / f"{name}.py").write_text(code, "utf-8")
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        try:
            importlib.import_module(name)
        except BaseException as error:
            return error
        raise AssertionError("it can be imported")

    return attempt


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise OSError('[WinError 126] x')", "importing broken_package failed: OSError: [WinError 126] x"),
        ("raise SystemError('y')", "importing broken_package failed: SystemError: y"),
        ("import sys; sys.exit(3)", "importing broken_package failed: SystemExit: 3"),
        (
            "class Panic(BaseException): pass\nraise Panic('z')",
            "importing broken_package failed: Panic: z",
        ),
        (
            "import gone_package",
            "importing broken_package failed: ModuleNotFoundError: No module named 'gone_package'",
        ),
        ("raise ImportError('a\\n  b')", "importing broken_package failed: ImportError: a b"),
    ],
)
def test_whatever_a_module_raises_is_the_environments_failure(broken, code, message):
    failure = import_failure(broken(code))
    assert failure is not None
    assert (failure.code, failure.exit_code, failure.message) == ("ENVIRONMENT_BROKEN", 69, message)
    assert "isotorch doctor" in str(failure.hint)


def test_a_module_that_is_missing_is_named():
    with pytest.raises(ImportError) as caught:
        importlib.import_module("gone_package")
    failure = import_failure(caught.value)
    assert failure is not None
    assert failure.message.startswith("importing gone_package failed: ModuleNotFoundError")


def test_an_error_of_a_function_is_none_of_an_import():
    with pytest.raises(OSError, match="disk") as caught:
        raise OSError("disk")
    assert import_failure(caught.value) is None


def test_a_page_of_advice_is_left_out_for_what_it_is_about():
    cause = ImportError("libopenblas.so.0: cannot open shared object file")
    story = ImportError(STORY)
    story.__cause__ = cause
    assert reason(story) == "libopenblas.so.0: cannot open shared object file"
    assert reason(ImportError(STORY)) == "IMPORTANT: PLEASE READ THIS FOR ADVICE"
