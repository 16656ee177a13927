"""What is said of bugs in an export format of another package."""

import pytest

from gritmill import exports
from gritmill.exports.export import export
from gritmill.exports.format import ExportCounts
from gritmill.exports.options import ExportOptions
from pipeline.faults import CallError, EnvironmentFault

PLACE = rf" \({__file__}:\d+\)$"


class Sound:
    description = "nothing"

    def __init__(self, options):
        pass

    def shard(self, number, samples, folder):
        return ExportCounts(samples=len(list(samples)))

    def finish(self, shards, folder):
        pass


class Constructor(Sound):
    def __init__(self, options):
        self.level = options.depth


class Shard(Sound):
    def shard(self, number, samples, folder):
        return [sample.record["picture"] for sample in samples]


class Finish(Sound):
    def finish(self, shards, folder):
        raise KeyError("gone")


class Total(Sound):
    def finish(self, shards, folder):
        return ExportCounts(shards=len(shards))


class Truth(Sound):
    def truth_lines(self, counts):
        return [f"blind accuracy: {50 + len(counts)} %"]


class WrongTruth(Sound):
    def truth_lines(self, counts):
        return [50]


class WrongTotal(Sound):
    def finish(self, shards, folder):
        return ["shards"]


class Nothing(Sound):
    def shard(self, number, samples, folder):
        pass


class Description(Sound):
    @property
    def description(self):
        raise KeyError("gone")


class DataFiles(Sound):
    @property
    def data_files(self):
        raise KeyError("gone")


class NoDescription(Sound):
    @property
    def description(self):
        raise AttributeError("description")


class NoFinish:
    description = "nothing"

    def __init__(self, options):
        pass

    def shard(self, number, samples, folder):
        pass


text = "not callable"


def none(options):
    pass


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Constructor", "AttributeError: 'ExportOptions' object has no attribute 'depth'" + PLACE),
        ("NoFinish", "it returned a NoFinish, which has no method finish$"),
        ("Description", "KeyError: 'gone'" + PLACE),
        ("NoDescription", "it returned a NoDescription, which has no attribute description$"),
        ("text", "it is a str, which is not callable$"),
        ("none", "it returned None$"),
        ("missing", "AttributeError: module .* has no attribute 'missing'"),
    ],
)
def test_a_format_that_cannot_be_made_is_a_wrong_call(install, name, problem):
    install(exports.GROUP, f"mine = {__name__}:{name}")
    with pytest.raises(CallError, match=rf"^--to: mine: the entry point mine = \S+ of the package mine: {problem}"):
        exports.find_format("mine", ExportOptions())


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Shard", "shard 0: KeyError: 'picture'" + PLACE),
        pytest.param("Finish", "finish: KeyError: 'gone'" + PLACE, marks=pytest.mark.slow),
        ("Nothing", "shard 0: it returned None, not ExportCounts$"),
        ("WrongTotal", r"finish: it returned \['shards'\], not ExportCounts$"),
        ("DataFiles", "data_files: KeyError: 'gone'" + PLACE),
        ("WrongTruth", r"truth_lines: it returned \[50\], not texts$"),
    ],
)
def test_a_format_that_fails_is_named_with_its_line(install, finished, tmp_path, name, problem):
    install(exports.GROUP, f"mine = {__name__}:{name}")
    with pytest.raises((CallError, EnvironmentFault), match=f"^--to: mine: .*{problem}"):
        export(finished, "mine", tmp_path / "out")


def test_counts_over_all_shards_are_added(install, finished, tmp_path):
    install(exports.GROUP, f"mine = {__name__}:Total")
    assert export(finished, "mine", tmp_path / "out")["figures"] == {"samples": 30, "shards": 3}


def test_a_format_may_add_lines_to_the_truth_sheet(install, finished, tmp_path):
    install(exports.GROUP, f"mine = {__name__}:Truth")
    export(finished, "mine", tmp_path / "out")
    assert "\n- blind accuracy: 51 %\n" in (tmp_path / "out/README.md").read_text()


def test_a_format_that_does_not_exist_is_told_with_the_most_similar_one():
    with pytest.raises(CallError, match=r"^--to: COCCO: no such format; did you mean coco\?$"):
        exports.find_format("COCCO", ExportOptions())
