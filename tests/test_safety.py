"""Dangerous calls that the packages must not contain, found in their source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gritmill", "pipeline", "transforms")

# The isolation starts a child process and exchanges pickles with it. plain_pickle reads only plain containers. The
# format of RefCOCO is a pickle. Beam starts its job server, with a command of its own, below job_server.py.
ALLOWED = {
    ("pipeline/engines/job_server.py", "subprocess"),
    ("transforms/isolation/child_process.py", "pickle"),
    ("transforms/isolation/child_process.py", "subprocess"),
    ("gritmill/plain_pickle.py", "pickle"),
    ("gritmill/exports/refcoco.py", "pickle"),
}
DANGEROUS_MODULES = {
    *("pickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"),
    *("subprocess", "pty", "code", "runpy", "ctypes", "_posixsubprocess"),
}
DANGEROUS_NAMES = {"eval", "exec", "compile", "__import__"}
DANGEROUS_ATTRIBUTES = {
    *("os.system", "os.popen", "os.posix_spawn", "os.posix_spawnp", "torch.load", "yaml.load", "yaml.unsafe_load"),
    *(f"os.{kind}{how}" for kind in ("exec", "spawn") for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
}
SAFE = {"shell": False, "trust_remote_code": False, "allow_pickle": False, "use_safetensors": True}


def sources():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def named(node):
    """Returns the dotted name of an expression, such as `a.b.c`."""
    if isinstance(node, ast.Attribute):
        return f"{named(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(path):
    """Yields code that runs text, starts a program, unpickles, or trusts code in data, also under an alias."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in DANGEROUS_MODULES)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            whole = [module] if module.split(".")[0] in DANGEROUS_MODULES else []
            single = [f"{module}.{alias.name}" for alias in node.names]
            yield from [*whole, *(name for name in single if name in DANGEROUS_ATTRIBUTES)]
        elif isinstance(node, ast.Name) and node.id in DANGEROUS_NAMES:
            yield node.id
        elif isinstance(node, ast.Attribute) and named(node) in DANGEROUS_ATTRIBUTES:
            yield named(node)
        elif isinstance(node, ast.keyword) and node.arg in SAFE:
            yield from [] if getattr(node.value, "value", None) == SAFE[node.arg] else [node.arg]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_shell_no_eval_no_pickle_of_others(path):
    name = path.relative_to(ROOT).as_posix()
    assert {(name, danger) for danger in dangers(path)} <= ALLOWED


def test_what_is_allowed_is_still_there():
    found = {(path.relative_to(ROOT).as_posix(), danger) for path in sources() for danger in dangers(path)}
    assert found == ALLOWED


def test_every_model_is_loaded_without_its_own_code():
    calls = [
        node
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and named(node.func).endswith(".from_pretrained")
    ]
    assert len(calls) >= 2
    assert all("trust_remote_code" in {keyword.arg for keyword in call.keywords} for call in calls)


@pytest.mark.parametrize(
    "text",
    [
        *("eval('1')", "map(eval, rows)", "torch.load(f)", "np.load(f, allow_pickle=True)", "os.execl('x')"),
        *("import pickle as p", "from pickle import loads", "from subprocess import run", "from os import system"),
        *("run(x, shell=True)", "run(x, shell=flag)", "import ctypes", "os.posix_spawn(a, b, c)"),
    ],
)
def test_the_reading_finds_what_it_looks_for(tmp_path, text):
    (tmp_path / "a.py").write_text(text)
    assert list(dangers(tmp_path / "a.py"))


def test_the_reading_finds_nothing_in_sound_code(tmp_path):
    (tmp_path / "a.py").write_text("import os\nfrom os import path\nos.path.join('a')\nrun(x, shell=False, y=1)\n")
    assert not list(dangers(tmp_path / "a.py"))
