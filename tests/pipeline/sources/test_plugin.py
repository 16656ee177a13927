"""What is said of bugs in a source of another package."""

from importlib.metadata import EntryPoint

import pytest

from pipeline import source_kinds
from pipeline.configuration import SourceSettings
from pipeline.faults import CallError, EnvironmentFault, SourceFault
from pipeline.files import FileInfo
from pipeline.sources import open_source
from pipeline.sources.fetch_images import fetch_images
from transforms.records import Fault, ImageRef, Pair

INFO = FileInfo("/in/a.zip", 1, 1.0)
PAIR = Pair("k", INFO.uri, 0, "a dog", ImageRef(INFO.uri, length=1, digest="d"), b"x")
PLACE = rf" \({__file__}:\d+\)$"
ANSWERS = {}


class Broken:
    """Each method returns what `ANSWERS` has for it, or raises it."""

    def __init__(self, info, settings):
        self._answer("made")

    def _answer(self, method):
        answer = ANSWERS.get(method)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ranges(self, rows):
        return self._answer("ranges")

    def starts(self, start):
        return self._answer("starts")

    def read(self, start):
        return self._answer("read")

    def fetch(self, references):
        return self._answer("fetch")

    def needs(self):
        return self._answer("needs")


class Bare:
    def __init__(self, info, settings):
        pass

    def ranges(self, rows):
        return []


text = "not callable"


class Suffix(Broken):
    suffixes = ".zip"


def called(method, answer, monkeypatch):
    monkeypatch.setitem(ANSWERS, method, answer)
    source = open_source("mine", INFO, SourceSettings())
    argument = {"ranges": (8,), "needs": (), "fetch": ([PAIR.image],)}.get(method, ({"index": 0},))
    return list(getattr(source, method)(*argument))


@pytest.fixture
def broken(install):
    install(source_kinds.GROUP, f"mine = {__name__}:Broken")


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("made", CallError),
        ("ranges", CallError),
        ("starts", CallError),
        ("needs", CallError),
        ("read", EnvironmentFault),
        ("fetch", EnvironmentFault),
    ],
)
def test_an_error_names_the_kind_the_method_and_the_line(method, kind, monkeypatch):
    where = "" if method == "made" else rf": {INFO.uri}: {method}"
    entry = rf"the entry point mine = {__name__}:Broken of the package mine"
    with pytest.raises(kind, match=rf"^source\.kind: {entry}{where}: LookupError: row is bad" + PLACE):
        called(method, LookupError("row is bad"), monkeypatch)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("method", "answer", "problem"),
    [
        ("ranges", None, "it returned None, not a list of RangeSpec"),
        ("ranges", [3], "it returned an int in its list, not a RangeSpec"),
        ("starts", None, "it returned None; it must yield positions"),
        ("starts", [3], "the position 3 is not a dict with the number of the pair as `index`"),
        ("needs", "/in/a.zip", "it returned '/in/a.zip', not a list of URIs"),
        ("read", None, "it returned None; it must yield positions and pairs"),
        ("read", [PAIR], "it yielded a Pair, not a tuple of a position and a Pair"),
        ("read", [None], "it yielded None, not a tuple of a position and a Pair"),
        ("read", [({"index": 0, "at": {1}}, PAIR)], "is not JSON: Object of type set"),
        ("read", [({"index": 0}, Pair("k", "s", 0, None))], "the pair 'k' has None as caption, not a str"),
        ("read", [({"index": 0}, Pair(3, "s", 0, ""))], "the pair 3 has an int as key, not a str"),
        ("read", [({"index": 0}, Pair("k", "s", 0, "", b"x"))], "has a bytes as image, not an ImageRef"),
        ("read", [({"index": 0}, PAIR.failed("gone"))], "the pair 'k' has a str as error, not a Fault"),
        ("read", [({"index": 0}, PAIR.failed(Fault("read", "silly")))], "failed with 'silly'; use one of broken_row, "),
        ("fetch", ["x"], "it yielded a str, not bytes or a Fault"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(method, answer, problem, monkeypatch):
    with pytest.raises((CallError, EnvironmentFault)) as raised:
        called(method, answer, monkeypatch)
    assert f"/in/a.zip: {method}: {problem}" in str(raised.value) or problem in str(raised.value)


@pytest.mark.usefixtures("broken")
def test_what_the_contract_allows_passes(monkeypatch):
    assert called("read", [({"index": 0}, PAIR)], monkeypatch) == [({"index": 0}, PAIR)]
    assert called("fetch", [bytearray(b"x")], monkeypatch) == [b"x"]
    for error in (SourceFault("cut off"), CallError("no such column"), EnvironmentFault("no disk")):
        with pytest.raises(type(error), match=f"^{error}$"):
            called("ranges", error, monkeypatch)


@pytest.mark.parametrize("method", ["starts", "read"])
@pytest.mark.usefixtures("broken")
def test_a_source_that_changes_its_position_does_not_change_that_of_others(method, monkeypatch):
    def change(self, start):
        start["at"].clear()
        return iter([start.pop("index")][:0])

    monkeypatch.setattr(Broken, method, change)
    start = {"index": 3, "at": {"row": 1}}
    assert list(getattr(open_source("mine", INFO, SourceSettings()), method)(start)) == []
    assert start == {"index": 3, "at": {"row": 1}}


@pytest.mark.usefixtures("broken")
def test_more_images_than_requested_are_told(monkeypatch):
    monkeypatch.setitem(ANSWERS, "fetch", [b"x", b"y"])
    with pytest.raises(EnvironmentFault, match="the source returned more images than requested"):
        list(fetch_images([PAIR], lambda uri: open_source("mine", INFO, SourceSettings())))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Bare", "it returned a Bare, which has no method starts"),
        ("text", "it is a str, which is not callable"),
        ("Suffix", "its suffixes are '.zip'; use a tuple"),
    ],
)
def test_an_entry_point_that_does_not_fit_names_itself_and_its_package(install, name, problem):
    install(source_kinds.GROUP, f"mine = {__name__}:{name}")
    with pytest.raises(CallError, match=rf"^source\.kind: the entry point mine = \S+ of the package mine: {problem}$"):
        open_source("mine", INFO, SourceSettings())


def test_a_built_in_kind_is_not_wrapped():
    entry = EntryPoint("jsonl", "pipeline.sources.jsonl:JsonlSource", source_kinds.GROUP)
    assert isinstance(open_source("jsonl", INFO, SourceSettings()), entry.load())
