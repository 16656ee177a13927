import json
import pickle

import pytest

from tests import broken_plugins
from transforms.culprits import PluginError, RemoteTraceback, WrongAnswer, calling, describe, message_of, place_of


def raised(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def line_of(function, after=1):
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno + after}"


def test_the_place_is_the_last_line_of_the_users_code_whatever_it_calls():
    assert str(place_of(raised(broken_plugins.raising, None))) == line_of(broken_plugins.raising)  # inside of json
    request = type("Request", (), {"width": 1})()
    error = raised(broken_plugins.divide, request)
    assert describe(error) == f"ZeroDivisionError: division by zero ({line_of(broken_plugins.divide)})"


def test_without_a_line_of_the_users_code_the_place_is_the_last_line():
    assert place_of(ValueError("never raised")) is None
    error = raised(json.loads, "{")
    assert place_of(error).users  # the test itself
    place = place_of(error.with_traceback(error.__traceback__.tb_next))
    assert (place.file.endswith("json/decoder.py"), place.users) == (True, False)


def test_a_module_that_cannot_be_compiled_is_the_place(tmp_path, monkeypatch):
    (tmp_path / "not_python.py").write_text("x = 1\ny = (\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert str(place_of(raised(__import__, "not_python"))) == f"{tmp_path}/not_python.py:2"


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError(), "ValueError"),
        (Mute(), "Mute"),
        (WrongAnswer("it is None"), "it is None"),
    ],
)
def test_a_message_is_the_class_and_one_line(error, message):
    assert message_of(error) == message


def test_an_exception_of_another_process_keeps_class_and_place():
    error = raised(json.loads, "{")
    there = pickle.loads(pickle.dumps(RemoteTraceback.of(error)))
    here = RuntimeError("stands for an exception that cannot be pickled")
    here.__cause__ = there
    assert describe(here) == describe(error)
    assert "Traceback" in str(there)


def test_a_call_names_the_plug_in_and_lets_pass_what_the_contract_allows():
    def call(error, **more):
        with calling("--to: mine", **more):
            raise error

    assert str(raised(call, KeyError("gone"))).startswith("--to: mine: KeyError: 'gone' (/")
    assert isinstance(raised(call, StopIteration()), PluginError)
    assert isinstance(raised(call, KeyError(), passing=(KeyError,)), KeyError)
    assert str(raised(call, PluginError("named"))) == "named"
    assert str(raised(call, WrongAnswer("it is None"), passing=(ValueError,))) == "--to: mine: it is None"
    assert type(raised(call, KeyError(), raises=OSError)) is OSError
