"""What the packages may not contain, read from their own source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gritmill", "pipeline", "transforms")

# Two processes of our own, one of which starts the other, talk through pickle; nothing else does.
ALLOWED = {
    ("transforms/child.py", "pickle.load"),
    ("transforms/child.py", "pickle.loads"),
    ("transforms/child.py", "subprocess.Popen"),
    ("gritmill/plain_pickle.py", "pickle.Unpickler"),
}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
STARTS = {"os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv"}
READS_CODE = {"torch.load", "joblib.load", "dill.load", "dill.loads", "marshal.loads", "yaml.load", "yaml.unsafe_load"}
SAFE = {"shell": False, "trust_remote_code": False, "allow_pickle": False, "use_safetensors": True}


def sources():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def named(node):
    """`a.b.c` of a call's function."""
    if isinstance(node, ast.Attribute):
        return f"{named(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(path):
    """Calls that run text, start a program, unpickle, or trust what comes with data."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield from filter(dangerous, [named(node.func)])
        elif isinstance(node, ast.ClassDef):
            yield from filter(dangerous, map(named, node.bases))
        elif (
            isinstance(node, ast.keyword) and node.arg in SAFE and getattr(node.value, "value", None) != SAFE[node.arg]
        ):
            yield node.arg


def dangerous(name):
    if name.startswith(("pickle.", "subprocess.", "shelve.")):
        return not name.startswith("pickle.dump")
    return name in {*RUNS_TEXT, *STARTS, *READS_CODE}


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
    "text", ["eval('1')", "subprocess.run(x, shell=True)", "torch.load(f)", "np.load(f, allow_pickle=True)"]
)
def test_the_reading_finds_what_it_looks_for(tmp_path, text):
    (tmp_path / "a.py").write_text(text)
    assert list(dangers(tmp_path / "a.py"))
