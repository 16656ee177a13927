import re
import socket
from importlib.metadata import EntryPoint

import pytest

from transforms.culprits import WrongAnswer
from transforms.plugins import check_callable, check_json_object, check_made, check_module, find_factory, load_entry


def test_an_error_in_a_users_module_has_class_and_place(tmp_path, monkeypatch):
    (tmp_path / "half_a_module.py").write_text("import json\n\njson.loads('{')\n")
    (tmp_path / "needs_more.py").write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=rf"cannot be loaded: JSONDecodeError: .* \({tmp_path}/half_a_module.py:3\)$"):
        find_factory("half_a_module:make")
    with pytest.raises(ValueError, match=rf"loaded: ModuleNotFoundError: .* \({tmp_path}/needs_more.py:1\)$"):
        find_factory("needs_more:make")
    with pytest.raises(ValueError, match=r"cannot be loaded: No module named 'no_such_package_at_all'$"):
        find_factory("no_such_package_at_all:make", [str(tmp_path)])


@pytest.mark.parametrize("name", ["no_such_package_at_all", "no_such_package_at_all.part", "json.no_such_part"])
def test_a_missing_module_of_a_worker_is_told_with_its_host(name):
    cure = f"install it on {socket.gethostname()}, or add its folder to PYTHONPATH there"
    with pytest.raises(ValueError, match=f"^stages.factories: {name}:make cannot be loaded: No module .*; {cure}$"):
        find_factory(f"{name}:make", key="stages.factories")


def test_a_module_is_looked_for_and_not_imported(tmp_path, monkeypatch):
    (tmp_path / "ends_when_imported.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)
    check_module("ends_when_imported:make", "detector.model")


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (None, "it returned None"),
        (dict, "it returned the class dict"),
        (3, "it returned an int, which has no method keys"),
    ],
)
def test_what_is_made_must_be_an_object_with_methods(made, problem):
    with pytest.raises(WrongAnswer, match=f"^{problem}$"):
        check_made(made, "it", "keys")
    check_made({}, "it", "keys", attributes=["values"])
    with pytest.raises(WrongAnswer, match=r"^it returned a dict, which has no attribute name$"):
        check_made({}, "it", "keys", attributes=["values", "name"])


def test_an_entry_point_is_named_with_its_module():
    entry = EntryPoint("mine", "no_such_package_at_all:Mine", "gritmill.exports")
    with pytest.raises(ValueError, match=r"^--to: the entry point mine = no_such_package_at_all:Mine: ModuleNotFound"):
        load_entry(entry, "--to")
    with pytest.raises(WrongAnswer, match="it is a str, which is not callable"):
        check_callable("mine")


@pytest.mark.parametrize(("value", "problem"), [({"a": {1}}, "is not JSON: "), (3, "is an int, not a dict of JSON")])
def test_what_is_recorded_must_be_json(value, problem):
    with pytest.raises(WrongAnswer, match=re.escape(f"made {problem}")):
        check_json_object(value, "made")
    assert check_json_object({"a": [1, None]}, "made") == {"a": [1, None]}
