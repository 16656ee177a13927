"""Custom detectors and stages with bugs: each name says what is wrong."""

import json

import pyarrow as pa

from gritmill import Box, Drop, Found, Stage


class Answering:
    """A detector that answers each request with what `answer` returns."""

    def __init__(self, answer):
        self.answer = answer

    def detect(self, requests):
        return [self.answer(request) for request in requests]


def divide(request):
    return 1 / (request.width - request.width)


def zero(settings):
    return Answering(divide)


def only_tall(settings):
    return Answering(lambda request: divide(request) if request.height > request.width else [])


def none(settings):
    pass


def no_method(settings):
    return object()


def a_class(settings):
    return Answering


def raising(settings):
    return json.loads("{")


class Unready(Answering):
    @property
    def made(self):
        return {"device": object()}


def unready(settings):
    return Unready(lambda request: [])


ANSWERS = {
    "x2 is 640: corners must be fractions of the width and height, 0..1": [Box(0, 0, 0, 640, 480, 0.5)],
    "x1 is 0.5 and x2 is 0.5: x1 must be less than x2": [Box(0, 0.5, 0, 0.5, 1, 0.5)],
    "score is 2: scores must be in 0..1": [Box(0, 0, 0, 1, 1, 2)],
    "x1 is nan": [Box(0, float("nan"), 0, 1, 1, 0.5)],
    "phrase is 7: the request has 1 phrase, numbered from 0": [Box(7, 0, 0, 1, 1, 0.5)],
    "phrase is 0.5": [Box(0.5, 0, 0, 1, 1, 0.5)],
    "returned (0, 0, 0, 1, 1, 0.5) as a box, which is not a gritmill.Box": [(0, 0, 0, 1, 1, 0.5)],
    "a value that is not a number": [Box(0, "left", 0, 1, 1, 0.5)],
    "an answer of the detector is None, not a Found or a list of gritmill.Box": None,
    "an answer of the detector is a Box": Box(0, 0, 0, 1, 1, 0.5),
    "an answer of the detector is a str": "box",
    "the boxes of an answer of the detector are None": Found(None),
    "dropped[0] is 'silly'; use one of abstract, pronoun, ": Found(dropped={0: "silly"}),
    "dropped has a key that is no phrase: phrase is 1: the request has 1 phrase": Found(dropped={1: Drop.TOO_LONG}),
    "dropped is [0], not a dict": Found(dropped=[0]),
    "cut is None, not a number": Found(cut=None),
    "error is a str, not a gritmill.Fault": Found(error="broken"),
}
"""Wrong answers to a request with one phrase, by what is said of them."""


class Sound(Stage):
    name = table = "own"

    def columns(self):
        return [pa.field("value", pa.int32(), nullable=False)]

    def load(self):
        return self

    def process(self, pairs):
        return [{"value": 1} for _ in pairs]

    def probe(self):
        self.process([])


class NoTable(Sound):
    table = None


class NoName(Stage):
    table = "own"


class OneParent(Sound):
    parents = "detections"


class Columns(Sound):
    def columns(self):
        raise KeyError("gone")


class Load(Sound):
    def load(self):
        raise KeyError("gone")


class NoModel(Sound):
    def load(self):
        pass


class NoProbe(Sound):
    def load(self):
        return Answering(None)


class Takes(Sound):
    def takes(self, pair):
        return pair.corners


class Process(Sound):
    def process(self, pairs):
        raise LookupError("row is bad")


class Recorded(Sound):
    @property
    def recorded(self):
        return {"seen": {1, 2}}


class NoRows(Sound):
    def process(self, pairs):
        pass


class TupleRows(Sound):
    def process(self, pairs):
        return [(1,) for _ in pairs]


class Fingerprint(Sound):
    def fingerprint_values(self):
        raise KeyError("gone")


def no_stage(configuration):
    pass


def no_factory(configuration):
    raise KeyError("gone")
