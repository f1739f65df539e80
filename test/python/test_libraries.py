"""What computes: the BLAS behind a name that several have, and settings that move bits."""

from __future__ import annotations

import sys

import msgpack
import pytest
import torch  # noqa: F401  (before a test changes the environment)

from isotorch_worker.environment import libraries
from isotorch_worker.environment.libraries import SETTINGS, math_libraries, settings
from isotorch_worker.environment.probe import runtime_versions

DEBIAN = "OpenMP 201511 (a.k.a. OpenMP 4.5)\n  - Build settings: BLAS_INFO=generic, USE_MKL=OFF"
WHEEL = (
    "Intel(R) oneAPI Math Kernel Library Version 2024.2-Product Build 20240605 for Intel(R) 64\n"
    "  - OpenMP 201511 (a.k.a. OpenMP 4.5)\n  - Build settings: BLAS_INFO=mkl"
)
LINE = "7f0000000000-7f0000001000 r-xp 00000000 fe:00 12   {}\n"


@pytest.fixture
def maps(tmp_path):
    def write(*files: str):
        path = tmp_path / "maps"
        anonymous = "7ffd0000-7ffe0000 rw-p 00000000 00:00 0 \n"
        path.write_text(anonymous + "".join(LINE.format(file) * 2 for file in files))
        return path

    return write


@pytest.mark.parametrize(
    ("config", "files", "blas", "openmp"),
    [
        (
            DEBIAN,
            [
                "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0",
                "/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0",
            ],
            "reference BLAS: blas/libblas.so.3.11.0",
            "libgomp.so.1.0.0",
        ),
        (
            DEBIAN,
            [
                "/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3",
                "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.21.so",
            ],
            "OpenBLAS: openblas-pthread/libblas.so.3, openblas-pthread/libopenblasp-r0.3.21.so",
            "201511",
        ),
        (
            WHEEL,
            [
                "/home/me/lib/python3.13/site-packages/numpy.libs/libscipy_openblas64_-4b78795a.so",
                "/home/me/lib/python3.13/site-packages/nvidia/cu13/lib/libcublas.so.13",
                "/home/me/lib/python3.13/site-packages/torch/lib/libgomp.so.1",
            ],
            "MKL 2024.2",
            "libgomp.so.1",
        ),
        (DEBIAN, ["/opt/conda/envs/my env/lib/libmkl_rt.so.2"], "MKL: lib/libmkl_rt.so.2", "201511"),
        (DEBIAN, [], "generic", "201511"),
        ("", [], "unknown", "none"),
    ],
)
def test_the_library_that_is_loaded_is_named(maps, config, files, blas, openmp):
    found = math_libraries(config, maps(*files))
    assert (found["blas"], found["openmp"]) == (blas, openmp)


def test_without_the_systems_list_the_build_tells(tmp_path):
    assert math_libraries(WHEEL, tmp_path / "none") == {
        "blas": "MKL 2024.2",
        "mkl": "2024.2",
        "openmp": "201511",
    }


def test_settings_are_named_only_where_they_are_set(monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    assert settings() == {}
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert settings() == {"env.OPENBLAS_CORETYPE": "Haswell"}


def test_the_longest_of_all_this_leaves_room_in_a_header(monkeypatch, maps):
    for name in SETTINGS:
        monkeypatch.setenv(name, "ä" * 5000)
    long = [f"/{'a' * 200}/lib{name}{'b' * 200}.so" for name in ("blas", "gomp-")]
    assert len(msgpack.packb({**libraries.math_libraries(WHEEL, maps(*long)), **settings()})) < 1500


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells it")
def test_of_this_process_they_are_known():
    found = runtime_versions()
    assert found["blas"] not in ("", "unknown")
    assert "omp" in found["openmp"]
