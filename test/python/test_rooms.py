"""A module of the worker imports only rooms that stand above its own, and what serves tasks names none."""

from __future__ import annotations

import ast
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from isotorch_worker.tasks.registry import registry

WORKER = Path(__file__).resolve().parents[2] / "python" / "isotorch_worker"
# As docs/architecture.md has them: each room may import those above it.
ROOMS = (
    {"base"},
    {"protocol"},
    {"imports", "lifetime"},
    {"checkpoints"},
    {"pictures"},
    {"runtime"},
    {"environment"},
    {"background", "channel", "inbox", "serve", "startup", "task"},
    {"tasks"},
    {"oip", "oip_body", "oip_json", "ray"},
    {"__main__"},
)
MOST_FILES = 14


def place(module: str) -> int:
    room = module.partition(".")[0]
    (found,) = (number for number, names in enumerate(ROOMS) if room in names)
    return found


def imports(root: Path) -> dict[str, set[str]]:
    """What each module imports of the others, wherever in it."""
    parts = {file: file.relative_to(root).with_suffix("").parts for file in root.rglob("*.py")}
    named = {file: ".".join(one for one in name if one != "__init__") for file, name in parts.items()}
    files = {name: file for file, name in named.items() if name}
    return {name: set(_imported(file, files)) - {name} for name, file in files.items()}


def _imported(file: Path, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        named: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            named = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        for name in named:
            inside = name.removeprefix("isotorch_worker.")
            if inside in modules:
                yield inside


def violations(root: Path) -> list[str]:
    """Every import against the direction, and every circle."""
    graph = imports(root)
    found = [
        f"{module} imports {other}"
        for module, others in graph.items()
        for other in others
        if place(other) > place(module)
    ]
    return sorted(found) + [f"a circle at {module}" for module in sorted(graph) if _reaches(graph, module)]


def _reaches(graph: dict[str, set[str]], module: str) -> bool:
    seen: set[str] = set()
    ahead = list(graph[module])
    while ahead:
        one = ahead.pop()
        if one == module:
            return True
        if one not in seen:
            seen.add(one)
            ahead.extend(graph[one])
    return False


def names_in(file: Path) -> set[str]:
    """Every text that stands in the code."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_import_goes_one_way_and_there_is_no_circle():
    assert violations(WORKER) == []


@pytest.mark.parametrize(
    ("module", "line", "refused"),
    [
        ("runtime/device.py", "from isotorch_worker import tasks", "runtime.device imports tasks"),
        ("runtime/batch.py", "from isotorch_worker import serve", "runtime.batch imports serve"),
        ("base/stdin.py", "import isotorch_worker.protocol.wire", "base.stdin imports protocol.wire"),
        (
            "pictures/shape.py",
            "if 1:\n    from isotorch_worker.tasks import registry",
            "imports tasks.registry",
        ),
        ("serve.py", "from isotorch_worker.tasks.registry import registry", "serve imports tasks.registry"),
        ("protocol/table.py", "from isotorch_worker.protocol import wire", "a circle at protocol.table"),
    ],
)
def test_an_import_against_the_direction_is_refused(tmp_path, module, line, refused):
    planted = tmp_path / "isotorch_worker"
    shutil.copytree(WORKER, planted, ignore=shutil.ignore_patterns("__pycache__"))
    file = planted / module
    file.write_text(file.read_text("utf-8") + f"\n{line}\n", "utf-8")
    assert refused in "\n".join(violations(planted))


def test_what_serves_tasks_names_none():
    real = registry()
    tasks = {*real.tasks, *real.loads}
    (room,) = (names for names in ROOMS if "serve" in names)
    named = {name: names_in(WORKER / f"{name}.py") & tasks for name in room}
    assert named == {name: set() for name in room}
    assert names_in(WORKER / "tasks" / "registry.py") >= tasks


def test_no_folder_has_more_than_14_modules():
    count = Counter(file.parent for file in WORKER.rglob("*.py"))
    assert {str(folder): files for folder, files in count.items() if files > MOST_FILES} == {}
