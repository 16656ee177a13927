"""The package structure: imports go in one direction, without cycles, and only some modules import Beam."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gritmill", "pipeline", "transforms")
"""From top to bottom: a package imports only packages that follow it."""

WITH_BEAM = re.compile(r"pipeline/(engines/\w+|files/remote|\w+/graph)\.py")
"""Modules that import Beam, in addition to the files of the PTransforms."""


@cache
def modules():
    """Returns the path of every module below the root, by name. The code of a package is `package.__init__`."""
    paths = [path.relative_to(ROOT) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(path.with_suffix("").parts): path for path in paths}


@cache
def tree(module):
    return ast.parse((ROOT / modules()[module]).read_text("utf-8"))


def named(module):
    """Returns the modules that an import of this name runs: the module itself, or the code of the package."""
    return {module, f"{module}.__init__"} & modules().keys()


@cache
def imports(module):
    """Returns our modules that a module imports, also inside of functions."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found |= named(f"{node.module}.{alias.name}") or named(node.module)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found |= named(alias.name)
    return frozenset(found - {module})


def circle(arrows):
    """Returns the members of one cycle of a graph, empty if there is no cycle."""
    state = {}

    def walk(node, path):
        state[node] = "open"
        for following in sorted(arrows.get(node, ())):
            if state.get(following) == "open":
                return [*path[path.index(following) :], following]
            if following not in state and (found := walk(following, [*path, following])):
                return found
        state[node] = "done"
        return []

    for start in sorted(arrows):
        if start not in state and (found := walk(start, [start])):
            return found
    return []


def rooms(folder):
    """Returns the imports between the files and subfolders of a folder. A subfolder counts as one node."""
    arrows = {}
    for module in modules():
        if module.startswith(f"{folder}."):
            room = module.removeprefix(f"{folder}.").partition(".")[0]
            others = (
                o.removeprefix(f"{folder}.").partition(".")[0] for o in imports(module) if o.startswith(f"{folder}.")
            )
            arrows.setdefault(room, set()).update(other for other in others if other != room)
    return arrows


def folders():
    return sorted({module.rpartition(".")[0] for module in modules()})


def beam_files():
    """Yields the modules that import Beam."""
    for module in modules():
        for node in ast.walk(tree(module)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            if any(name.partition(".")[0] == "apache_beam" for name in names):
                yield module
                break


def transforms_of(module):
    """Returns the PTransforms that a module defines."""
    classes = [node for node in tree(module).body if isinstance(node, ast.ClassDef)]
    return [one.name for one in classes if any(ast.unparse(base).endswith("PTransform") for base in one.bases)]


def snake_case(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_no_package_imports_what_stands_beside_them():
    """The packages do not import tests, training or benchmarks. No import is relative."""
    beside = {"tests", "training", "benchmarks", "stress", "interop", "cluster", "examples"}
    for module in modules():
        for node in ast.walk(tree(module)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, module
                names = [node.module]
            assert not {name.partition(".")[0] for name in names} & beside, module


@pytest.mark.parametrize("folder", ["pipeline", "transforms"])
def test_a_room_imports_from_those_that_are_listed_above_it(folder):
    lines = (ast.get_docstring(tree(f"{folder}.__init__")) or "").splitlines()
    line = {
        room: next(n for n, text in enumerate(lines) if re.search(rf"\b{room}\b", text.split("  ")[0]))
        for room in rooms(folder)
        if room != "__init__"
    }
    wrong = [
        f"{a} imports {b}" for a, others in rooms(folder).items() for b in others if b in line and line[b] > line[a]
    ]
    assert wrong == []


def test_no_import_points_upward():
    floor = {package: number for number, package in enumerate(PACKAGES)}
    upward = [
        f"{module} imports {other}"
        for module in modules()
        for other in imports(module)
        if floor[other.partition(".")[0]] < floor[module.partition(".")[0]]
    ]
    assert upward == []


@pytest.mark.parametrize("folder", folders())
def test_no_circle_between_the_rooms_of_a_folder(folder):
    assert " -> ".join(circle(rooms(folder))) == ""


@pytest.mark.parametrize("folder", folders())
def test_a_folder_lists_its_rooms_in_its_docstring(folder):
    listed = re.findall(r"\w+", ast.get_docstring(tree(f"{folder}.__init__")) or "")
    assert rooms(folder).keys() - {"__init__", "__main__"} - set(listed) == set()
    lines = (ast.get_docstring(tree(f"{folder}.__init__")) or "").splitlines()
    named = [name for text in lines if "  " in text for name in text.split("  ")[0].split(", ") if name]
    assert [name for name in named if named.count(name) > 1] == []


def test_no_circle_between_modules():
    assert " -> ".join(circle({module: imports(module) for module in modules()})) == ""


def test_a_circle_would_be_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_pure_code_never_imports_beam():
    assert [m for m in beam_files() if not (transforms_of(m) or WITH_BEAM.fullmatch(modules()[m].as_posix()))] == []


def test_each_transform_has_a_file_of_its_own_that_is_called_like_it():
    found = {module: transforms_of(module) for module in modules() if transforms_of(module)}
    assert {module.rpartition(".")[2]: names for module, names in found.items()} == {
        snake_case(names[0]): names[:1] for names in found.values()
    }


def test_only_graphs_import_transforms_of_beam():
    """Only `graph` modules import the PTransforms, so importing other code does not import Beam."""
    with_beam = {module for module in beam_files() if transforms_of(module)}
    importing = {module for module in modules() if imports(module) & with_beam}
    assert {module.rpartition(".")[2] for module in importing} <= {"graph"}
