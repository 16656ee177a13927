"""What a run says of itself: how much earlier runs did, that there is nothing to do, and its log."""

import gzip
import json
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pytest

import gritmill
from pipeline.configuration import Configuration
from pipeline.engines import progress as engine_progress
from pipeline.engines.pace import Pace
from pipeline.engines.progress import State, WorkerProgress, describe
from pipeline.ground.progress import GroundProgress, _is_plain
from pipeline.pack.progress import PackProgress
from pipeline.plan.plan import read_plan
from pipeline.stages.configured import configured_stages, open_tables
from pipeline.tables.table import list_tables
from tests import sample_pairs

PAIRS = 8  # one range


@pytest.fixture(scope="module")
def config(parser):
    changes = {"chunk": {"pairs": 2}, "shards": {"pairs": 2}}
    return sample_pairs.settings(parser, "tests.plugin_detectors:factory", **changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, config):
    """The folder with input and a finished run, and the arguments of its call."""
    folder = tmp_path_factory.mktemp("progress")
    inputs = sample_pairs.as_parquet(sample_pairs.drawn(PAIRS), folder / "in")
    call = {"config": config, "inputs": inputs, "output": folder / "out"}
    gritmill.run(**call)
    return folder, call


@pytest.fixture
def run(whole, tmp_path):
    """A copy of the finished run, and the arguments of a call that resumes it."""
    shutil.copytree(whole[0] / "out", tmp_path / "out")
    return tmp_path / "out", {**whole[1], "output": tmp_path / "out"}


def progress_of(folder, config):
    detections = str(folder / "detections")
    tables = open_tables(configured_stages(Configuration.model_validate(config)), detections)
    return GroundProgress(read_plan(detections), tables, list_tables(tables), clock=lambda: 0.0)


def cut_back(folder, chunks, pairs=PAIRS):
    """Removes the summary of the range and all but the first chunks."""
    (folder / "detections/00000/00000.done.json").unlink()
    for number in range(chunks, pairs // 2):
        (folder / f"detections/00000/00000-{number:05}.parquet").unlink()


def log_of(folder):
    """The events and texts of the log, without times."""
    return [tuple(line.split(" ", 2)[1:]) for line in (folder / "run.log").read_text().splitlines()]


@pytest.mark.parametrize("timings", ["whole", "missing", "damaged"])
def test_what_earlier_runs_committed_is_done_from_the_start(run, config, timings):
    folder, _ = run
    cut_back(folder, 2)
    if timings == "missing":
        shutil.rmtree(folder / "detections/timings")
    if timings == "damaged":
        (folder / "detections/timings/00000/00000-00001.json").write_text('{"pairs": 2')
    state = progress_of(folder, config).state()
    assert (state.done, state.total, state.earlier, state.share) == (4, 8, 4, 0.5)


def test_new_chunks_and_ranges_count_once_and_are_news_once(run, config, whole):
    folder, _ = run
    cut_back(folder, 2)
    progress = progress_of(folder, config)
    name = "detections/00000/00000-00002.parquet"
    shutil.copy(whole[0] / "out" / name, folder / name)
    state = progress.state()
    assert (state.done, state.earlier, state.share, list(progress.news())) == (6, 4, 0.75, [])
    for name in ("detections/00000/00000-00003.parquet", "detections/00000/00000.done.json"):
        shutil.copy(whole[0] / "out" / name, folder / name)
    state = progress.state()
    assert (state.done, state.earlier, state.share) == (8, 4, 1.0)
    assert list(progress.news()) == [("range", f"detections/00000/00000: 8 pairs, 0 failed; {whole[1]['inputs']}")]
    assert list(progress.news()) == []


def test_pairs_that_workers_have_done_are_part_of_the_share(run, config):
    folder, _ = run
    cut_back(folder, 2)
    progress = progress_of(folder, config)
    (folder / "detections/.progress-1-1.json").write_text('{"pairs": 1, "chunk": "00000/00000-00002", "size": 2}')
    state = progress.state()
    assert (state.done, state.earlier, state.share, state.working) == (5, 4, 0.625, "")
    (folder / "detections/.progress-1-1.json").write_text('{"pairs": 0, "chunk": "00000/00000-00002", "size": 2}')
    assert progress.state().working == "chunk 00000/00000-00002 (2 pairs) in work for 0 s"


def test_chunks_to_process_again_are_not_done(run, config, whole):
    folder, _ = run
    (folder / "detections/00000/00000.done.json").unlink()
    (folder / "detections/retry.json").write_text('{"chunks": [[0, 0, 1], [0, 0, 3]]}')
    progress = progress_of(folder, config)
    state = progress.state()
    assert (state.done, state.earlier, state.share) == (4, 4, 0.5)
    again = folder / "detections/00000/00000-00001.parquet"
    again.unlink()
    shutil.copyfile(whole[0] / "out/detections/00000/00000-00001.parquet", again)  # with a new time
    assert progress.state().done == 6


def test_the_number_of_pairs_of_a_tar_is_not_known(config, tmp_path):
    tars = sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "in", tars=1)
    gritmill.ground(config, inputs=tars, output=tmp_path / "out")
    state = progress_of(tmp_path / "out", config).state()
    assert (state.done, state.total, state.share) == (4, None, 1.0)


def in_work(folder, pairs, **said):
    """Writes what a worker says about a chunk of two pairs."""
    said = {"pairs": pairs, "chunk": "00000/00000-00000", "size": 2} | said
    (folder / "detections/.progress-1-1.json").write_text(json.dumps(said))


def shown(folder, config):
    """The share of the state of a run, and how its state is shown."""
    state = progress_of(folder, config).state()
    return state.share, describe(state, "pairs", Pace(), 0.0)


def test_the_share_of_a_tar_is_that_of_its_bytes_also_in_its_first_chunk(config, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(WorkerProgress, "begin", lambda _, *chunk: begun.append(chunk))
    sample_pairs.as_tars(sample_pairs.drawn(6), tmp_path / "in", tars=1)
    folder, size = tmp_path / "out", (tmp_path / "in/00000.tar").stat().st_size
    gritmill.ground(config, inputs=str(tmp_path / "in/00000.tar"), output=folder)
    (_, _, first), (_, _, second), last = begun
    assert last == ("00000/00000-00002", 2, None)
    assert 0 < first["offset"] < second["offset"] < size
    cut_back(folder, 0, 6)
    in_work(folder, 0, next=first)
    assert shown(folder, config) == (0.0, "0%, 0 pairs, chunk 00000/00000-00000 (2 pairs) in work for 0 s")
    in_work(folder, 1, next=first)
    share = first["offset"] / size / 2
    assert shown(folder, config) == (pytest.approx(share), f"{int(100 * share)}%, 1 pairs")
    for said in ({"next": {}}, {"chunk": "", "next": first}, {"chunk": "00001/00000-00000", "next": first}):
        in_work(folder, 1, **said)
        assert shown(folder, config) == (0.0, "1 pairs")


@pytest.mark.parametrize("kind", ["tgz", "tar", "arrow", "jsonl.gz"])
def test_a_source_without_known_bytes_counts_when_it_is_finished(config, tmp_path, kind):
    source = tmp_path / f"in.{kind}"
    pictures = sample_pairs.drawn(6)
    if kind in ("tgz", "tar"):  # the content says that it is compressed, not the name
        sample_pairs.as_tars(pictures, tmp_path / "in", tars=1)
        source.write_bytes(gzip.compress((tmp_path / "in/00000.tar").read_bytes()))
    elif kind == "arrow":
        table = pa.table({"image": [one.data for one in pictures], "caption": [one.captions[0] for one in pictures]})
        with pa.ipc.new_file(str(source), table.schema) as file:
            file.write_table(table)
    else:
        plain = sample_pairs.as_jsonl(pictures, tmp_path)
        source.write_bytes(gzip.compress((tmp_path / plain).read_bytes()))
    folder = tmp_path / "out"
    gritmill.ground(config, inputs=str(source), output=folder)
    assert shown(folder, config) == (1.0, "100%, 6 pairs")
    cut_back(folder, 2, 6)
    assert shown(folder, config) == (0.0, "4 pairs")
    in_work(folder, 1, chunk="00000/00000-00001", next={"index": 4, "offset": 10**9, "row": 4})
    assert shown(folder, config) == (0.0, "5 pairs")


@pytest.mark.parametrize("unfinished", [0, 1])
def test_a_chunk_in_work_has_the_share_that_its_commit_adds(config, tmp_path, monkeypatch, unfinished):
    begun = {}
    monkeypatch.setattr(WorkerProgress, "begin", lambda _, chunk, size, position: begun.update({chunk: position}))
    sample_pairs.as_tars(sample_pairs.drawn(12), tmp_path / "in", tars=2)
    packed = tmp_path / "in/00001.tar"
    packed.with_suffix(".tgz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    folder = tmp_path / "out"
    gritmill.ground(config, inputs=str(tmp_path / "in"), output=folder)
    rows = folder / f"detections/{unfinished:05}"
    (rows / "00000.done.json").unlink()
    chunks = sorted(rows.glob("*.parquet"))
    for chunk, again in [*((chunk, True) for chunk in chunks), *((chunk, False) for chunk in reversed(chunks))]:
        share, content = shown(folder, config)[0], chunk.read_bytes()
        chunk.unlink()
        name = f"{unfinished:05}/{chunk.stem}"
        in_work(folder, 2, chunk=name, next=begun[name])
        assert shown(folder, config)[0] == pytest.approx(share)
        (folder / "detections/.progress-1-1.json").unlink()
        if again:  # as if later ones had been committed before it
            chunk.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "plain"), [("a.tar", True), ("a.TGZ", False), ("a.tar.gz", False), ("a.tar.zst", False), ("a", True)]
)
def test_on_a_store_the_name_says_whether_a_tar_is_compressed(name, plain):
    assert _is_plain(f"s3://no-such-bucket/{name}") is plain


def test_pairs_count_the_same_in_large_and_small_sources_if_all_are_counted(config, tmp_path):
    sample_pairs.as_parquet(sample_pairs.drawn(6), tmp_path)
    sample_pairs.as_jsonl(sample_pairs.drawn(2), tmp_path)
    folder = tmp_path / "out"
    gritmill.ground(config, inputs=str(tmp_path), output=folder)
    (unfinished,) = (
        number for number, source in enumerate(read_plan(str(folder / "detections")).sources) if source.kind == "jsonl"
    )
    for path in (folder / f"detections/{unfinished:05}").iterdir():
        path.unlink()
    assert shown(folder, config) == (0.75, "75%, 6 of 8 pairs")


def test_a_resumed_run_says_so_and_logs_it(run, capsys):
    folder, call = run
    cut_back(folder, 2)
    for number in (1, 3):
        (folder / f"shards/{number:05}_stats.json").unlink()
    (folder / "manifest.json").unlink()
    lines = len(log_of(folder))
    gritmill.run(**call, quiet=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "ground: resuming: 4 of 8 pairs are done" in printed.err.splitlines()
    events = log_of(folder)[lines:]
    assert [event for event, _ in events] == [*("start", "plan", "resume", "range", "resume", "shard", "shard", "end")]
    texts = [text for _, text in events]
    assert texts[0].endswith(": gritmill.run from Python; configuration grit with " + ", ".join(_keys(call["config"])))
    assert texts[1].startswith("1 source, 1 range; ")
    assert texts[2] == "ground: 4 of 8 pairs are done"
    assert texts[4] == "pack: 2 of 4 shards are done"
    assert [text.partition(":")[0] for text in texts[5:7]] == ["shards/00001.tar", "shards/00003.tar"]
    assert texts[-1] == "pack: 8 read, 8 written, 0 rejected, 0 failed, 0 source faults"


def _keys(config):
    return [f"{section}.{key}" for section, keys in config.items() for key in keys]


def test_a_finished_run_says_that_there_is_nothing_to_do(run, capsys):
    folder, call = run
    ground = "ground: nothing to do: all 8 pairs are done"
    pack = "pack: nothing to do: all 8 pairs are done, in 4 shards"
    gritmill.run(**call, quiet=False)
    assert capsys.readouterr() == ("", f"{ground}\n{pack}\n")
    assert log_of(folder)[-3:-1] == [("done", ground), ("done", pack)]
    gritmill.ground(**call, quiet=False)
    assert capsys.readouterr() == ("", f"{ground}\n")
    assert log_of(folder)[-1] == ("end", "ground: 8 pairs")
    gritmill.pack(call["config"], output=folder, quiet=False)
    assert capsys.readouterr() == ("", f"{pack}\n")
    gritmill.run(**call)
    assert capsys.readouterr() == ("", "")


def test_shards_of_another_pack_are_not_done(run):
    folder, _ = run
    progress = PackProgress(str(folder))
    assert (progress.state().done, progress.state().earlier) == (0, None)
    (folder / ".gritmill.shards.json").write_text('{"shards": 10, "done": 2}')
    state = progress.state()
    assert (state.done, state.share, state.total, state.earlier) == (4, 0.4, 10, 2)
    assert list(progress.news()) == []


def test_a_refused_call_is_in_the_log_and_the_faults_of_sources_are(run, tmp_path):
    folder, call = run
    with pytest.raises(gritmill.CallError) as refused:
        gritmill.ground({**call["config"], "chunk": {"pairs": 3}}, inputs=call["inputs"], output=folder)
    assert log_of(folder)[-1] == ("error", str(refused.value))
    tars = sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "in", tars=1)
    tar = tmp_path / "in/00000.tar"
    tar.write_bytes(tar.read_bytes()[:5000])
    gritmill.ground(call["config"], inputs=tars, output=tmp_path / "cut")
    ((_, fault),) = [line for line in log_of(tmp_path / "cut") if line[0] == "fault"]
    assert fault.startswith(f"{tar}: truncated or damaged at byte")


def test_a_run_whose_log_cannot_be_written_has_the_same_output(run, whole):
    folder, call = run
    cut_back(folder, 1)
    (folder / "run.log").unlink()
    (folder / "run.log").mkdir()
    gritmill.run(**call)
    patterns = ("detections/0*/*", "shards/*", "manifest.json")
    assert sample_pairs.files_of(folder, *patterns) == sample_pairs.files_of(whole[0] / "out", *patterns)


@pytest.fixture
def bars(monkeypatch):
    """For each progress that is shown: its title, its state at the start and at the end, and whether it is quiet."""
    calls = []

    @contextmanager
    def show(title, unit, state, quiet, lines):
        assert (unit, lines) == ("samples", False)
        before = state()
        yield
        calls.append((title, before, state(), quiet))

    monkeypatch.setattr(engine_progress, "show_progress", show)
    return calls


@pytest.mark.parametrize(("words", "quiet"), [(["--processes", "1"], False), (["--processes", "2", "--quiet"], True)])
def test_validate_and_export_count_samples(whole, bars, tmp_path, call, words, quiet):
    run = whole[0] / "out"
    ends = [State(0, 0.0, PAIRS), State(PAIRS, 1.0, PAIRS)]
    assert call("validate", run, *words)[0] == 0
    assert bars == [("validate", *ends, quiet)]
    bars.clear()
    assert call("validate", run, "--limit", "1", *words)[0] == 0
    assert [(before.total, after.done, after.share) for _, before, after, _ in bars] == [(4, 4, 1.0)]
    bars.clear()
    assert call("export", run, "--to", "odvg", "--output", tmp_path / "odvg", *words)[0] == 0
    ends[1] = replace(ends[1], working="writing the files of all shards")
    assert bars == [("export", *ends, quiet)]
    for name in ("export.json", "parts/00001_done.json"):
        (tmp_path / "odvg" / name).unlink()
    bars.clear()
    assert call("export", run, "--to", "odvg", "--output", tmp_path / "odvg", *words)[0] == 0
    assert [(before.done, before.earlier, after.done) for _, before, after, _ in bars] == [(6, 6, 8)]


def test_functions_show_no_progress(whole, bars, tmp_path):
    assert len([*gritmill.validate(whole[0] / "out")]) == PAIRS
    gritmill.export(whole[0] / "out", "odvg", tmp_path / "odvg")
    assert [quiet for *_, quiet in bars] == [True, True]
