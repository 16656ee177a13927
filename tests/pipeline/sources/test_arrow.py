"""Arrow files in the layout of `save_to_disk` of Hugging Face's `datasets`, which is not installed."""

import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.faults import CallError, SourceFault
from pipeline.plan.limit import limit_plan
from pipeline.sources.arrow import ArrowSource
from tests import fake_object_store
from tests.pipeline.builders import assert_reads_alike_from_anywhere, image, plan, source_settings, stored
from transforms.records import Pair, Reason

IMAGES = [image(shade) for shade in range(7)]


def columns(rows: int = 7) -> dict[str, Any]:
    cells = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(IMAGES[:rows])]
    return {"image": cells, "text": [f"a dog {i}" for i in range(rows)], "label": list(range(rows))}


def arrow(table: Any, rows_per_batch: int = 3, new: Callable[..., Any] = pa.ipc.new_stream, **options: Any) -> bytes:
    table = table if isinstance(table, pa.Table) else pa.table(table)
    target = io.BytesIO()
    with new(target, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=rows_per_batch)
    return target.getvalue()


def opened(path: Path, data: bytes, **settings: Any) -> ArrowSource:
    return ArrowSource(stored(path, data), source_settings(**settings))


def read_to_fault(source: ArrowSource) -> tuple[list[Pair], str]:
    """Returns the pairs, and the fault at the end; "" if there is none."""
    pairs = []
    try:
        for _, pair in source.read({"row": 0, "skip": 0, "index": 0}):
            pairs.append(pair)
    except SourceFault as fault:
        return pairs, str(fault)
    return pairs, ""


def test_a_folder_of_save_to_disk_is_read(tmp_path: Path) -> None:
    stored(tmp_path / "dataset_dict.json", '{"splits": ["train", "test"]}')
    for split in ("train", "test"):
        stored(tmp_path / split / "data-00000-of-00001.arrow", arrow(columns()))
        stored(tmp_path / split / "state.json", '{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
        stored(tmp_path / split / "dataset_info.json", '{"features": {}}')
        stored(tmp_path / split / "cache-0123456789abcdef.arrow", arrow({"indices": [0]}))
    planned = plan([tmp_path])
    assert [(source.kind, source.fault) for source in planned.sources] == [("arrow", "")] * 2
    pairs = assert_reads_alike_from_anywhere(planned.open_source(f"{tmp_path}/train/data-00000-of-00001.arrow"))
    assert [(pair.key, pair.caption, pair.data) for pair in pairs] == [
        (str(i), f"a dog {i}", IMAGES[i]) for i in range(7)
    ]
    assert json.loads(pairs[6].meta) == {"label": 6}
    limited = limit_plan(planned.sources, 9, planned.configuration.source)
    assert sum(spec.pairs or 0 for source in limited for spec in source.ranges) == 9


def without_stream(data: bytes) -> bytes:
    """A file as polars writes it: behind the mark is no stream, and only the footer knows the schema."""
    assert data[8:12] == b"\xff\xff\xff\xff"
    return data[:8] + bytes.fromhex("04000000f2ffffff") + data[16:]


def test_a_file_whose_schema_is_in_its_footer_only_is_read(tmp_path: Path) -> None:
    data = without_stream(arrow(columns(), new=pa.ipc.new_file))
    source = opened(tmp_path / "a.ipc", data)
    pairs = assert_reads_alike_from_anywhere(source)
    assert [(pair.caption, pair.data) for pair in pairs] == [(f"a dog {i}", IMAGES[i]) for i in range(7)]
    order = [0, 6, 5, 2, 2, 3]
    assert list(source.fetch(pairs[i].image for i in order)) == [IMAGES[i] for i in order]
    with pytest.raises(SourceFault, match=r"^not an Arrow file: "):
        opened(tmp_path / "cut.ipc", data[:-7]).ranges(10)


def test_a_footer_that_hides_batches_is_a_fault(tmp_path: Path) -> None:
    data = without_stream(arrow(columns(), new=pa.ipc.new_file))
    footer = len(data) - 10 - int.from_bytes(data[-10:-6], "little")
    faults = set()
    for place in range(8 * footer, 8 * len(data), 3):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        source = opened(tmp_path / "a.arrow", bytes(changed))
        try:
            source.ranges(10)
        except (SourceFault, CallError):
            continue
        pairs, fault = read_to_fault(source)
        assert fault or len(pairs) == 7
        faults.add(fault)
    assert "truncated or damaged after row 6: its footer lists 2 of 3 batches" in faults


@pytest.mark.parametrize(
    "options",
    [{}, {"options": pa.ipc.IpcWriteOptions(compression="lz4")}, {"new": pa.ipc.new_file}],
    ids=["stream", "compressed", "file"],
)
def test_both_formats_are_read_and_their_images_fetched_in_any_order(tmp_path: Path, options: dict[str, Any]) -> None:
    table = pa.table(columns()).append_column("tags", pa.array(list("abcabca")).dictionary_encode())
    source = opened(tmp_path / "a.arrow", arrow(table, **options))
    pairs = assert_reads_alike_from_anywhere(source)
    assert [json.loads(pair.meta)["tags"] for pair in pairs] == list("abcabca")
    order = [0, 6, 5, 2, 2, 3]
    assert list(source.fetch(pairs[i].image for i in order)) == [IMAGES[i] for i in order]


def test_images_whose_paths_are_missing_or_no_text_are_fetched(tmp_path: Path) -> None:
    nulls, not_utf8 = pa.nulls(7), pa.array([b"\xff"] * 7).view(pa.string())
    for number, paths in enumerate((nulls, not_utf8)):
        cells = pa.StructArray.from_arrays([pa.array(IMAGES), paths], ["bytes", "path"])
        data = arrow(pa.table({"image": cells, "text": ["a dog"] * 7}))
        source = opened(tmp_path / f"{number}.arrow", data)
        pairs = assert_reads_alike_from_anywhere(source)
        assert list(source.fetch(pair.image for pair in pairs)) == [pair.data for pair in pairs] == IMAGES


def test_paths_are_read_from_below_the_root(tmp_path: Path) -> None:
    stored(tmp_path / "1.png", IMAGES[1])
    table = {
        "image": [{"bytes": None, "path": "1.png"}, {"bytes": None, "path": "/elsewhere/2.png"}],
        "text": ["a", "b"],
    }
    [first, second] = assert_reads_alike_from_anywhere(opened(tmp_path / "a.arrow", arrow(table)))
    assert first.image.uri == f"{tmp_path}/1.png"
    assert second.error
    assert second.error.reason == Reason.OUTSIDE_ROOT


def test_an_object_store_has_the_same_pairs(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    fake_object_store.put("shelf://data/a.arrow", arrow(columns()))
    planned = plan(["shelf://data/a.arrow"])
    source = planned.open_source("shelf://data/a.arrow")
    pairs = assert_reads_alike_from_anywhere(source)
    assert [pair.data for pair in pairs] == IMAGES
    assert list(source.fetch([pairs[6].image, pairs[0].image])) == [IMAGES[6], IMAGES[0]]


def test_a_file_that_is_cut_short_is_read_up_to_there(tmp_path: Path) -> None:
    data = arrow(columns())
    counts = set()
    for length in range(0, len(data), 3):  # blocks are of eight bytes
        source = opened(tmp_path / "a.arrow", data[:length])
        try:
            source.ranges(10)
        except SourceFault:
            continue
        pairs, fault = read_to_fault(source)
        assert fault
        assert "\n" not in fault
        assert [pair.data for pair in pairs] == IMAGES[: len(pairs)]
        counts.add(len(pairs))
    assert counts == {0, 3, 6, 7}
    assert read_to_fault(opened(tmp_path / "a.arrow", data))[1] == ""


@pytest.mark.parametrize("footer", [False, True])
def test_whatever_bit_has_changed_is_a_pair_or_a_fault(tmp_path: Path, footer: bool) -> None:
    table = pa.table({**columns(), "more": [[{"a": "x"}], [], None, [{"a": "y"}, {"a": "z"}], [], [], []]})
    data = without_stream(arrow(table, new=pa.ipc.new_file)) if footer else arrow(table)
    seeded = random.Random(7)
    for _ in range(300):
        changed = bytearray(data)
        changed[seeded.randrange(len(data))] ^= 1 << seeded.randrange(8)
        source = opened(tmp_path / "a.arrow", bytes(changed))
        try:
            source.ranges(10)
        except (SourceFault, CallError):
            continue
        pairs, fault = read_to_fault(source)
        assert fault or len(pairs) == 7


@pytest.mark.parametrize("wrong", [(0, 1 << 20, 10), (0, 5, 1 << 30), (7, 5, 10)])
def test_offsets_that_lead_out_of_the_batch_cost_its_rows_only(tmp_path: Path, wrong: tuple[int, ...]) -> None:
    data = arrow({"image": IMAGES[:6], "text": ["a dog", "a cat"] * 3}, rows_per_batch=2)
    right, changed = (b"".join(n.to_bytes(4, "little") for n in offsets) for offsets in ((0, 5, 10), wrong))
    first, second, third, rest = data.split(right)
    data = right.join((first, changed.join((second, third)), rest))
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.arrow", data))
    assert [pair.caption for pair in pairs] == ["a dog", "a cat", "", "", "a dog", "a cat"]
    assert [pair.error and pair.error.reason for pair in pairs[2:4]] == [Reason.BROKEN_ROW] * 2
    assert pairs[2].error
    assert pairs[2].error.detail.startswith("row 3: column text: the batch of this row is damaged: ")


def test_a_text_that_is_not_utf8_costs_its_pair(tmp_path: Path) -> None:
    texts = pa.array([b"a dog", b"\xff", b"a cat"]).view(pa.string())
    columns = {
        "text": texts,
        "large": texts.cast(pa.binary()).cast(pa.large_binary()).view(pa.large_string()),
        "list": pa.ListArray.from_arrays([0, 1, 2, 3], texts),
        "fixed_size_list": pa.FixedSizeListArray.from_arrays(texts, 1),
        "dictionary": pa.DictionaryArray.from_arrays([0, 1, 2], texts),
        "list_of_dictionary": pa.ListArray.from_arrays([0, 1, 2, 3], pa.DictionaryArray.from_arrays([0, 1, 2], texts)),
    }
    for name, column in columns.items():
        data = arrow(pa.table({"image": IMAGES[:3], "text": column}))
        pairs = assert_reads_alike_from_anywhere(opened(tmp_path / f"{name}.arrow", data))
        assert [pair.error and pair.error.reason for pair in pairs] == [None, Reason.ENCODING, None], name
        assert [pair.caption for pair in pairs][::2] == ["a dog", "a cat"]


def test_a_text_that_is_not_utf8_in_a_further_column_costs_no_pair(tmp_path: Path) -> None:
    texts = pa.array([b"x", b"\xff", None]).view(pa.string())
    keys = pa.array(["k"] * 3)
    more = {
        "map": pa.MapArray.from_arrays([0, 1, 2, 3], keys, texts),
        "struct": pa.StructArray.from_arrays([keys, texts], ["k", "v"]),
        "null": pa.StructArray.from_arrays([texts], ["v"], mask=pa.array([False, True, True])),
    }
    table = pa.table({"image": IMAGES[:3], "text": ["a dog"] * 3, **more})
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.arrow", arrow(table)))
    assert [pair.error for pair in pairs] == [None] * 3
    first, second, third = (json.loads(pair.meta) for pair in pairs)
    assert first == {"map": [["k", "x"]], "struct": {"k": "k", "v": "x"}, "null": {"v": "x"}}
    assert (second["map"], second["struct"]["k"]) == ([["k", second["struct"]["v"]]], "k")
    assert third["map"] == [["k", None]]


READ = """
import sys
from pipeline.files import FileInfo
from pipeline.sources.arrow import ArrowSource
from tests.pipeline.builders import source_settings
for path in sys.argv[1:]:
    source = ArrowSource(FileInfo(path, 1, 0.0), source_settings())
    for _, pair in source.read(source.ranges(9)[0].start):
        print(pair.caption, pair.meta, pair.error and pair.error.reason)
        assert list(source.fetch([pair.image])) == [pair.data]
"""


def test_an_extension_type_is_read_as_what_stores_it(tmp_path: Path) -> None:
    """In a process of its own, because Arrow may end it: alone, in a struct, in a list, in a dictionary."""
    storage = pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2))
    alone = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.int8(), [2]), storage)
    struct = pa.StructArray.from_arrays([pa.array(["x", "y"]), alone], ["t", "e"])
    structs: list[Any] = [{"t": "x", "e": [1, 2]}, {"t": "y", "e": [3, 4]}]
    forms = [
        (alone, [[1, 2], [3, 4]]),
        (struct, structs),
        (pa.ListArray.from_arrays([0, 1, 2], struct), [[value] for value in structs]),
        (pa.DictionaryArray.from_arrays([0, 1], storage), [[1, 2], [3, 4]]),
    ]
    paths, expected = [], []
    for number, (column, values) in enumerate(forms):
        paths.append(str(tmp_path / f"{number}.arrow"))
        stored(Path(paths[-1]), arrow(pa.table({"image": IMAGES[:2], "text": ["a dog", "a cat"], "more": column})))
        metas = [json.dumps({"more": value}, separators=(",", ":")) for value in values]
        expected += [f"a dog {metas[0]} None", f"a cat {metas[1]} None"]
    assert subprocess.check_output([sys.executable, "-c", READ, *paths], text=True).splitlines() == expected


def test_a_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"source\.columns\.image: .*a\.arrow has no column"):
        opened(tmp_path / "a.arrow", arrow({"text": ["a"]})).ranges(10)
    twice = pa.table([pa.array([b"x"]), pa.array(["a"]), pa.array(["b"])], names=["image", "text", "text"])
    with pytest.raises(CallError, match=r"2 columns are called text; rename all but one"):
        opened(tmp_path / "b.arrow", arrow(twice)).ranges(10)


def test_a_table_of_urls_is_refused_before_a_run(tmp_path: Path) -> None:
    urls = pa.array([f"https://x.org/{i}.jpg" for i in range(70)])
    for name, column in {"text": urls, "dictionary": urls.dictionary_encode()}.items():
        data = arrow(pa.table({"image": column, "text": ["a dog"] * 70}))
        with pytest.raises(CallError, match=r"source\.columns\.image: .*\.arrow lists URLs, in the column image"):
            opened(tmp_path / f"{name}.arrow", data).ranges(10)
        with pytest.raises(CallError, match="lists URLs"):  # those before the damage
            opened(tmp_path / f"{name}-cut.arrow", data[: len(data) * 3 // 4]).ranges(10)


@pytest.mark.parametrize("row", [0, 5, 63])
def test_a_table_with_a_path_among_its_first_images_is_read(tmp_path: Path, row: int) -> None:
    images = [f"https://x.org/{i}.jpg" for i in range(70)]
    images[row] = "1.png"
    stored(tmp_path / "1.png", IMAGES[1])
    source = opened(tmp_path / "a.arrow", arrow({"image": images, "text": ["a dog"] * 70}))
    pairs = [pair for _, pair in source.read(source.ranges(10)[0].start)]
    assert [number for number, pair in enumerate(pairs) if not pair.error] == [row]
