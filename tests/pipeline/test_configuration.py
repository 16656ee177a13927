import re
from pathlib import Path

import pytest

from pipeline.configuration import Configuration, find, load, validate
from pipeline.faults import CallError
from transforms.detectors.load import find_family

CONFIGS = sorted(path.stem for path in (Path(__file__).parents[2] / "configs").glob("*.yaml"))


def refusal(text: str, folder: Path, changes: tuple[str, ...] = ()) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(CallError) as refused:
        load(str(path), changes)
    assert "\n" not in str(refused.value)
    assert refused.value.status == 2
    return str(refused.value)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_bundled_configuration_is_sound(name: str) -> None:
    assert isinstance(load(name), Configuration)


def test_the_defaults() -> None:
    default = Configuration()
    assert (default.chunk.pairs, int(default.chunk.bytes)) == (256, 128 << 20)
    assert (default.detector.canvas_step, default.detector.floor, default.detector.candidates) == (32, 0.05, 30)
    assert (default.text.dialect, default.text.spans) == (("kosmos2",), "longest")
    assert default.selection.nms_iou == 0.7
    assert default.shards.pairs == 10_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("selection: {scor: 0.3}", "configuration: selection.scor: no such key; did you mean selection.score?"),
        ("detectr: {}", "configuration: detectr: no such key; did you mean detector?"),
        (
            "source: {columns: {captoin: a}}",
            "configuration: source.columns.captoin: no such key; did you mean source.columns.caption?",
        ),
        ("selection: {zzzzzz: 1}", "configuration: selection.zzzzzz: no such key"),
    ],
)
def test_an_unknown_key_is_named_and_a_near_one_suggested(tmp_path: Path, text: str, wanted: str) -> None:
    assert refusal(text, tmp_path) == wanted


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("selection: {score: 3}", "selection.score: 3"),
        ("selection: {score: -0.1}", "selection.score"),
        ("selection: {score: .nan}", "selection.score"),
        ("selection: {score: high}", "selection.score: 'high'"),
        ("chunk: {pairs: 0}", "chunk.pairs"),
        ("chunk: {pairs: 1.5}", "chunk.pairs"),
        ("chunk: {bytes: much}", "chunk.bytes"),
        ("shards: {pairs: 10001}", "shards.pairs"),
        ("shards: {bytes: 0}", "shards.bytes"),
        ("detector: {device: gpu}", "detector.device"),
        (
            "filters: {exclude_hashes: ''}",
            "filters.exclude_hashes: '': the empty text names no file; write the path of",
        ),
        ("detector: {precision: int8}", "detector.precision"),
        ("detector: {threads: 0}", "detector.threads"),
        ("detector: {threads: 10000}", "detector.threads: 10000: must be at most 1024"),
        ("detector: {batch: 1025}", "detector.batch: 1025: must be at most 1024"),
        ("detector: {short_side: 16385}", "detector.short_side: 16385: must be at most 16384"),
        ("detector: {canvas_step: 100000}", "detector.canvas_step: 100000: must be at most 16384"),
        ("detector: {model: [a]}", "detector.model"),
        ("text: {dialect: []}", "text.dialect"),
        ("text: {dialect: [1]}", "text.dialect"),
        ("text: {spans: all}", "text.spans"),
        ("source: {kind: zip}", "source.kind"),
        ("selection: 3", "selection"),
    ],
)
def test_a_bad_value_is_refused_by_its_key(tmp_path: Path, text: str, key: str) -> None:
    assert refusal(text, tmp_path).startswith(f"configuration: {key}")


@pytest.mark.parametrize("encoding", ["idna", "punycode", "undefined", "base64", "rot13", "utf-17", "\u00fc", "hex"])
def test_an_encoding_that_cannot_be_read_in_pieces_is_refused(tmp_path: Path, encoding: str) -> None:
    cure = "no encoding of text files; use a name that Python knows, for example latin-1 or utf-16-le"
    assert refusal(f"source: {{encoding: {encoding}}}", tmp_path).endswith(f": {cure}")


@pytest.mark.parametrize("encoding", ["", "utf-8-sig", "UTF16", "utf-32-be", "gb18030", "shift_jis", "cp037", "utf-7"])
def test_encodings_of_text_are_taken(encoding: str) -> None:
    assert load(changes=[f"source.encoding={encoding!r}"]).source.encoding == encoding


def test_the_largest_numbers_are_taken() -> None:
    sections = {
        "detector": {"threads": 1024, "batch": 1024, "short_side": 16384, "long_side": 10**9, "canvas_step": 16384},
        "chunk": {"pairs": 10**12, "bytes": "1PB"},  # the other one limits it
        "shards": {"bytes": "1PB"},  # shards.pairs limits it
        "selection": {"boxes_per_pair": 10**30},
    }
    assert validate(sections).chunk.bytes == 10**15


def test_a_run_with_numbers_that_are_refused_now_stays_readable() -> None:
    written = Configuration().model_dump(mode="json")
    written["detector"] |= {"threads": 10_000, "batch": 5000, "model": "scene-grounder"}
    read = Configuration.read_back(written)
    assert (read.detector.threads, read.detector.batch) == (10_000, 5000)
    assert find_family(read.detector).take(read.detector).threads == 10_000


def test_sizes_and_lists_of_names_are_taken_in_short_forms() -> None:
    value = validate({"chunk": {"bytes": "1 MiB"}, "text": {"dialect": "kosmos2"}, "source": {"columns": {"id": "n"}}})
    assert (int(value.chunk.bytes), value.text.dialect, value.source.columns.id) == (1 << 20, ("kosmos2",), ("n",))


def test_changes_go_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("chunk:\n  pairs: 8\nselection:\n")
    changes = [
        "chunk.pairs=16",
        "selection.score=0.5",
        "text.dialect=[kosmos2, qwen]",
        "source.columns.caption=alt",
        "detector.model=my.module:make",
        "source.image_root=",
    ]
    value = load(str(tmp_path / "mine.yaml"), changes)
    assert (value.chunk.pairs, value.selection.score) == (16, 0.5)
    assert value.text.dialect == ("kosmos2", "qwen")
    assert value.source.columns.caption == ("alt",)
    assert (value.detector.model, value.source.image_root) == ("my.module:make", None)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (("filters.where=a > 1", "filters.where=b > 1"), "filters.where"),
        (("chunk.pairs=1", " chunk . pairs =1"), "chunk.pairs"),
        (("source.columns.caption=a", "source.columns={image: b}"), "source.columns"),
        (
            ("source.columns={caption: a}", "source.columns.image=b", "source.columns.caption=c"),
            "source.columns.caption",
        ),
        (("source.columns.caption=a", "source="), "source"),
    ],
)
def test_a_change_that_would_replace_an_earlier_one_is_refused(
    tmp_path: Path, changes: tuple[str, ...], key: str
) -> None:
    assert refusal("", tmp_path, changes) == f"--set: {key} is given twice; remove one (a list is written [A, B])"


def test_changes_of_one_section_add_up() -> None:
    columns = load(
        "grit", ["source.columns={caption: a}", " source.columns . image = b", "source.kind=csv"]
    ).source.columns
    assert (columns.caption, columns.image) == (("a",), ("b",))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("chunk:\n  pairs: 1\nchunk:\n  bytes: 2\n", "3: chunk is set twice, first in line 1; remove one"),
        ("chunk:\n  pairs: 1\n  bytes: 2\n  'pairs': 3\n", "4: chunk.pairs is set twice, first in line 2; remove one"),
        ("chunk: {pairs: 1, pairs: 1}\n", "1: chunk.pairs is set twice; remove one"),
        (
            "source:\n  columns: &c\n    id: a\n    id: b\nx: *c\n",
            "4: source.columns.id is set twice, first in line 3; remove one",
        ),
        ("a: [{b: 1}, {c: {d: 1, d: 2}}]", "1: a.c.d is set twice; remove one"),
        ("? {k: 1, k: 2}\n: 3\n", "1: k is set twice; remove one"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_line(tmp_path: Path, text: str, wanted: str) -> None:
    assert refusal(text, tmp_path) == f"{tmp_path}/mine.yaml:{wanted}"


def test_a_key_that_goes_over_a_merged_one_is_there_once(tmp_path: Path) -> None:
    text = "source: {columns: {<<: [&a {id: a, key: k}, &b {url: u}], <<: *b, id: b}}\n"
    (tmp_path / "mine.yaml").write_text(text)
    columns = load(str(tmp_path / "mine.yaml")).source.columns
    assert (columns.id, columns.key, columns.url) == (("b",), ("k",), ("u",))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("x", "--set: 'x' has no =; write section.key=value, such as selection.score=0.4"),
        ("chunk.pairs: 3", "--set: 'chunk.pairs: 3' has no =; write section.key=value"),
        ("", "--set: '' has no =; write section.key=value"),
        ("=3", "--set: '=3' has no key before the =; write section.key=value"),
        (" = 3", "--set: ' = 3' has no key before the =; write section.key=value"),
        ("a.=1", "--set: 'a.=1' has a key with an empty part; write section.key=value"),
        ("a..b=1", "--set: 'a..b=1' has a key with an empty part; write section.key=value"),
        (".a=1", "--set: '.a=1' has a key with an empty part; write section.key=value"),
        ("chunk.pairs=[1", "--set: chunk.pairs: '[1': not YAML: expected ',' or ']', but got '<stream end>'"),
        ("source.columns={id: a, id: b}", "--set: source.columns: '{id: a, id: b}': id is set twice; remove one"),
        ("chunk.pairs.more=1", "--set: chunk.pairs.more: pairs is not a section"),
        ("chunk.pair=1", "configuration: chunk.pair: no such key; did you mean chunk.pairs?"),
        ("pairs=1", "configuration: pairs: no such key"),
        ("chunk.pairs=many", "configuration: chunk.pairs: 'many': "),
    ],
)
def test_a_bad_change_is_refused(tmp_path: Path, change: str, wanted: str) -> None:
    assert refusal("chunk: {pairs: 8}", tmp_path, (change,)).startswith(wanted)


def test_what_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal("chunk:\n  pairs: [1\nselection: {}\n", tmp_path).startswith(f"{tmp_path}/mine.yaml:3: not YAML: ")
    assert refusal("- a\n- b\n", tmp_path) == f"{tmp_path}/mine.yaml: not a mapping of sections"
    assert refusal("7", tmp_path) == f"{tmp_path}/mine.yaml: not a mapping of sections"


@pytest.mark.parametrize("data", [b"chunk:\n  pairs: 8 # gr\xf6\xdfe\n", b"chunk: \0\n", b"\xff\xfe\0"])
def test_a_file_that_is_no_text_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mine.yaml").write_bytes(data)
    with pytest.raises(CallError, match=r"mine\.yaml.*: .+") as refused:
        load(str(tmp_path / "mine.yaml"))
    assert "\n" not in str(refused.value)


def test_keys_that_are_no_text_are_refused(tmp_path: Path) -> None:
    assert refusal("1: {}\n", tmp_path).startswith("configuration: 1")


def test_an_empty_file_and_an_empty_section_are_the_defaults(tmp_path: Path) -> None:
    for text in ("", "# nothing\n", "chunk:\n", "phrases:\n  # model: x\nsource:\n  columns:\n"):
        (tmp_path / "mine.yaml").write_text(text)
        assert load(str(tmp_path / "mine.yaml")) == Configuration()


def test_a_configuration_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("nowhere.yaml", str(tmp_path / "nowhere")):
        with pytest.raises(CallError, match=r"^CONFIG: .*: no such file$"):
            find(name)
    with pytest.raises(CallError, match=r"^CONFIG: /.*: not a configuration; did you mean --input /.*\?$"):
        find(str(tmp_path))
    with pytest.raises(CallError, match=r"^CONFIG: gritt: no such configuration; did you mean grit\?$"):
        find("gritt")
    with pytest.raises(CallError, match=r"^CONFIG: none: no such configuration; use one of .*grit, or a path"):
        find("none")


def test_settings_are_frozen_and_survive_json() -> None:
    value = validate({"chunk": {"bytes": "1GB"}, "selection": {"score": 0.25}, "detector": {"model": "a/b"}})
    assert Configuration.model_validate(value.model_dump(mode="json")) == value
    with pytest.raises(ValueError, match="frozen"):
        value.chunk.pairs = 1  # type: ignore[misc]


def bomb(levels: int) -> str:
    """Lines of YAML whose last value has 10**levels parts, by aliases."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels + 1)]
    return "\n".join([*lines, f"text: {{dialect: *a{levels}}}"])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (bomb(9), "more than 10000 values, aliases included; write plain ones"),
        ("text: &a {dialect: *a}", "more than 10000 values, aliases included; write plain ones"),
        (
            "\n".join(["a: &a0 {k: v}", *(f"b{n}: &a{n + 1} {{<<: [{f'*a{n}, ' * 9}]}}" for n in range(12))]),
            "more than 10000 values, aliases included; write plain ones",
        ),
        ("[" * 20_000, "too deeply nested; write plain values"),
        ("\n".join(" " * n + "a:" for n in range(2000)), "too deeply nested; write plain values"),
        ("chunk: {pairs: !!int x}", "not YAML: ValueError: invalid literal for int() with base 10: 'x'"),
        ("chunk: {pairs: 2001-99-99}", "not YAML: ValueError: month must be in 1..12"),
        ("chunk: {pairs: !!timestamp x}", "not YAML: AttributeError: 'NoneType' object has no attribute 'groupdict'"),
    ],
    ids=["aliases", "cycle", "merges", "deep flow", "deep block", "int", "date", "timestamp"],
)
def test_a_yaml_text_that_is_small_but_not_its_value(tmp_path: Path, text: str, wanted: str) -> None:
    assert refusal(text, tmp_path) == f"{tmp_path}/mine.yaml: {wanted}"


def test_aliases_of_a_usual_size_are_taken(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("source: {columns: {id: &names [a, b], key: *names}}\n")
    columns = load(str(tmp_path / "mine.yaml")).source.columns
    assert columns.id == columns.key == ("a", "b")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("text.dialect=" + "[" * 20_000, "too deeply nested; write plain values"),
        (
            "text.dialect=[&a [x,x], &b " + "[" + "*a," * 9999 + "*a]]",
            "more than 10000 values, aliases included; write plain ones",
        ),
    ],
    ids=["deep", "aliases"],
)
def test_a_change_that_is_too_large_is_refused(tmp_path: Path, change: str, wanted: str) -> None:
    line = refusal("chunk: {pairs: 8}", tmp_path, (change,))
    assert line.startswith("--set: text.dialect: '[")
    assert line.endswith(f"': {wanted}")
    assert len(line) < 250


@pytest.mark.parametrize(
    "value", ["x" * 10**6, "[" + "1," * 9000 + "1]", "[[[[[[1]]]]]]"], ids=["text", "list", "deep"]
)
def test_a_message_shows_the_start_of_a_long_value(tmp_path: Path, value: str) -> None:
    line = refusal(f"chunk:\n  pairs: {value}\n", tmp_path)
    assert line.startswith("configuration: chunk.pairs: ")
    assert len(line) < 250


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("punsafe <", "configuration: filters.where: 'punsafe <': at character 10, the end: write a number, a text"),
        (
            '["a > 1", "status = 2"]',
            "configuration: filters.where: 'status = 2': at character 8, '=': use == to compare",
        ),
        ("3", "configuration: filters.where: 3: must be a list, or one text"),
        ("[3]", "configuration: filters.where: 3: must be a text"),
    ],
)
def test_a_mistake_in_a_condition_is_one_line_with_its_position(tmp_path: Path, where: str, wanted: str) -> None:
    assert refusal("", tmp_path, (f"filters.where={where}",)).startswith(wanted)


def test_one_condition_is_a_list_of_one() -> None:
    assert load("grit", ["filters.where=status in ('a', 'b')"]).filters.where == ("status in ('a', 'b')",)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("text.dialect=[]", "text.dialect: none: must have 1 or more entries"),
        ("text.dialect=5", "text.dialect: 5: must be a list, or one text"),
        ("phrases.languages=[1]", "phrases.languages: 1: must be a text"),
        ("phrases.languages=[[en]]", "phrases.languages: ['en']: must be a text"),
        ("detector.batch=[4]", "detector.batch: [4]: must be a whole number"),
        ("selection.score=2", "selection.score: 2: must be at most 1"),
        ("selection.score=yes", "selection.score: True: must be a number, not yes or no"),
        ("detector.batch=on", "detector.batch: True: must be a number, not yes or no"),
        ("chunk.bytes=off", "chunk.bytes: False: must be a number, not yes or no"),
        ("selection.boxes_per_phrase=no", "selection.boxes_per_phrase: False: must be a number, not yes or no"),
        ("selection.score=abc", "selection.score: 'abc': must be a number"),
        ("selection.boxes_per_phrase=0", "selection.boxes_per_phrase: 0: must be at least 1"),
        ("selection.boxes_per_phrase=1.5", "selection.boxes_per_phrase: 1.5: must be a whole number"),
        ("selection.nms_iou=", "selection.nms_iou: empty: must be a number"),
        ("filters.max_aspect=.inf", "filters.max_aspect: inf: must be a finite number"),
        ("engine.stall_minutes=0", "engine.stall_minutes: 0: must be more than 0"),
        ("chunk.bytes=abc", "chunk.bytes: 'abc': must be a number of bytes, for example 128MiB"),
        ("chunk.bytes=5 apples", "chunk.bytes: '5 apples': must be a number of bytes, for example 128MiB"),
        ("phrases.claims=maybe", "phrases.claims: 'maybe': must be true or false"),
        ("detector.precision=float64", "detector.precision: 'float64': must be float32, bfloat16 or float16"),
        ("detector.device=gpu", "detector.device: 'gpu': must be auto, cpu, cuda, cuda:N (N: a number) or mps"),
        ("detector.threads=5000", "detector.threads: 5000: must be at most 1024"),
        ("source.columns=5", "source.columns: 5: must be a section: keys with values"),
        ("source.columns.caption={}", "source.columns.caption: must be a list, or one text"),
    ],
)
def test_a_message_says_what_a_setting_takes(change: str, line: str) -> None:
    with pytest.raises(CallError) as refused:
        load("demo", [change])
    assert str(refused.value) == f"configuration: {line}"


WRONG = ([], {}, [None], "?", "", -1, 0, 1.5, 1e400, 10**400, True, ["?"], [[1]], {"a": 1}, None, b"?")


@pytest.mark.parametrize("section", list(Configuration.model_fields))
def test_no_message_about_a_setting_has_words_of_pydantic(section: str) -> None:
    lines = []
    for key in Configuration.model_fields[section].annotation.model_fields:  # type: ignore[union-attr]
        for value in WRONG:
            try:
                validate({section: {key: value}})
            except CallError as error:
                lines.append(str(error).split(": ", 3)[-1])
    assert lines
    assert not [line for line in lines if re.search("input|valid|should|tuple|instance", line)]
