"""A call with nothing left to do imports no package that only work needs, and still refuses invalid calls."""

import json
import subprocess
import sys

import pytest

import gritmill
from pipeline.configuration import validate
from pipeline.faults import CallError
from pipeline.ground import driver, messages
from pipeline.ground.options import GroundOptions
from tests import sample_pairs
from transforms import bundled
from transforms.detectors.grounding_dino import precision

HEAVY = {"apache_beam", "fsspec", "torch", "transformers", "spacy", "pyarrow", "jinja2"}
SCENES = str(bundled.folder("examples") / "scenes")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two scenes, with the embedded models."""
    folder = tmp_path_factory.mktemp("start") / "out"
    gritmill.run("demo", inputs=SCENES, output=folder, limit=2)
    return folder


def loaded(*calls):
    """Returns, for each of several calls in one new process, its status and the modules that are loaded at its end."""
    code = (
        "import json, sys\nfrom gritmill.main import main\nfor words in json.loads(sys.argv[1]):\n"
        " try:\n  status = main(words) or 0\n except SystemExit as ended:\n  status = ended.code\n"
        " print(status, *sys.modules, file=sys.stderr)"
    )
    words = json.dumps(calls, default=str)
    ended = subprocess.run([sys.executable, "-c", code, words], capture_output=True, text=True, check=True)
    return [(int(line.split()[0]), set(line.split()[1:])) for line in ended.stderr.splitlines()]


def test_with_nothing_left_to_do_no_heavy_package_is_loaded(finished):
    before = sample_pairs.files_of(finished, "**/*")
    words = ("--output", finished, "--quiet")
    given = ("demo", "--input", SCENES, "--limit", "2", *words)
    ended = loaded(("pack", "demo", *words), ("ground", *given), ("run", *given))
    for status, modules in ended:
        assert (status, HEAVY & modules) == (0, set())
        assert "pipeline.pack.driver" in modules
    assert len(ended) == 3
    assert sample_pairs.files_of(finished, "**/*") == before


def test_with_something_left_to_do_it_is_done(finished, tmp_path):
    words = {"inputs": SCENES, "output": tmp_path / "out", "limit": 2}
    gritmill.ground("demo", **words)
    done, *_ = sorted((tmp_path / "out/detections").glob("0*/*.done.json"))
    whole = sample_pairs.files_of(tmp_path / "out", "detections/0*/*")
    done.unlink()
    next(done.parent.glob("*.parquet")).unlink()
    gritmill.ground("demo", **words)
    assert sample_pairs.files_of(tmp_path / "out", "detections/0*/*") == whole
    assert whole == sample_pairs.files_of(finished, "detections/0*/*")


def test_a_wrong_beam_option_is_refused_also_if_nothing_is_left(finished, call):
    given = ("--input", SCENES, "--limit", 2)
    for command, words in (("ground", given), ("run", given), ("pack", ())):
        ended = call(command, "demo", *words, "--output", finished, "--", "--bogus=1")
        assert ended == (2, "", ["gritmill: --bogus=1: no such Beam option"])


def test_a_device_that_is_not_here_is_refused_before_there_is_work(finished, call, tmp_path):
    words = ("ground", "demo", "--input", SCENES, "--limit", 2, "--set", "detector.device=cuda:77", "--output")
    status, _, (line,) = call(*words, tmp_path / "out")
    assert status == 2
    assert line.startswith("gritmill: detector.device: cuda:77: there are ")
    assert not (tmp_path / "out").exists()
    for asked in ("--fresh", "--retry-failed", "--extend", "--redo-changed"):
        before = sample_pairs.files_of(finished, "**/*")
        assert call(*words, finished, asked)[::2] == (2, [line])
        assert sample_pairs.files_of(finished, "**/*") == before
    assert call(*words, finished)[0] == 0


def test_the_memory_of_models_may_be_lost_or_damaged(finished):
    memory = finished / "detections/.gritmill.models.json"
    whole = memory.read_bytes()
    for damaged in (b"", b"\xff", whole[:-9], None):
        if damaged is None:
            memory.unlink()
        else:
            memory.write_bytes(damaged)
        gritmill.ground("demo", inputs=SCENES, output=finished, limit=2)
        assert memory.read_bytes() == whole


def test_a_new_run_says_what_it_does_before_it_imports_what_takes_seconds(tmp_path):
    code = (
        "import sys\nfrom gritmill.main import main\nfrom pipeline.engines import progress\n"
        "def tell(title, line, quiet):\n print(line, {'torch', 'apache_beam', 'spacy'} & sys.modules.keys())\n"
        " raise KeyboardInterrupt\n"
        "progress.tell = tell\nmain(sys.argv[1:])"
    )
    words = ("run", "demo", "--input", SCENES, "--limit", "1", "--output", str(tmp_path / "out"))
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (130, "loading libraries and models set()\n")


def test_a_new_run_searches_little_of_what_it_imports_for_garbage(tmp_path):
    code = (
        "import atexit, gc, sys\nsearched = 0\ndef count(phase, info):\n global searched\n"
        " young = range(info['generation'] + 1)\n"
        " searched += sum(len(gc.get_objects(generation=g)) for g in young) if phase == 'start' else 0\n"
        "gc.callbacks.append(count)\natexit.register(lambda: print(searched, file=sys.__stdout__))\n"
        "from gritmill.main import main\nmain(sys.argv[1:])"
    )
    words = ("run", "demo", "--quiet", "--input", SCENES, "--limit", "1", "--output", str(tmp_path / "out"))
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert int(ended.stdout.splitlines()[-1]) < 600_000  # 200,000 are searched; without `importing`, 1,600,000


NO_GPU_NO_BFLOAT16 = (
    "from transforms.detectors import load\nfrom transforms.detectors.grounding_dino import precision\n"
    "load.lacks_gpu, precision.has_bfloat16 = lambda: True, lambda: False"
)
WRONG_PRECISIONS = (
    ("detector.precision=bfloat16",),
    ("detector.precision=float16",),
    ("detector.precision=float16", "phrases.model=./none"),  # a parser that would be loaded
    ("detector.precision=bfloat16", "detector.model=hub/none"),  # a hub is not asked
    ("detector.precision=bfloat16", "detector.model=hub/none", "detector.device=cpu"),
)


def test_what_can_be_refused_without_a_model_is_refused_in_one_line(tmp_path):
    (tmp_path / "words.txt").write_text("a dog")
    given = ("run", "demo", "--output", tmp_path / "out", "--input")
    truth = ("--truth", tmp_path / "none.jsonl")
    queries = [
        ("eval", "demo", *truth),
        ("eval", "demo", *truth, "--relations", "--detect"),
        ("calibrate", "demo", *truth, "--output", tmp_path / "curves"),
    ]
    calls = [
        (*given, tmp_path / "none.tar"),
        (*given, tmp_path / "words.txt"),
        (*given, tmp_path / "none.tar", "--set", "detector.model=hub/none", "--set", "phrases.model=none"),
        (*given, SCENES, "--set", "detector.model=./none"),
        (*given, SCENES, "--set", "phrases.drop_lists=none"),
        (*given, SCENES, "--set", "detector.threads=10000"),
        (*given, SCENES, "--set", "detector.precision=bf16"),
        *((*given, SCENES, "--set", *words) for words in WRONG_PRECISIONS),
        *((*others, "--set", *WRONG_PRECISIONS[0]) for others in queries),
    ]
    code = (
        f"{NO_GPU_NO_BFLOAT16}\n"
        "import json, sys\nfrom gritmill.main import main\nfor words in json.loads(sys.argv[1]):\n"
        " try:\n  main(words)\n except SystemExit as ended:\n"
        "  print(ended.code, 'torch' in sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code, json.dumps(calls, default=str)], capture_output=True, text=True)
    lines = [line for line in ended.stderr.splitlines() if "works only on drawn scenes" not in line]
    assert lines[1::2] == ["2 False"] * len(calls)
    assert all(line.startswith("gritmill: ") for line in lines[::2])
    assert all("detector.precision: bfloat16" in line for line in lines[-2 * len(queries) :: 2])


def test_a_resumed_run_refuses_a_precision_only_if_there_is_work_and_before_it_loads(call, tmp_path, monkeypatch):
    words = ("ground", "demo", "--input", SCENES, "--limit", 2, "--output", tmp_path / "out", "--quiet")
    words += ("--set", "detector.precision=bfloat16", "detector.device=cpu")
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    assert call(*words)[0] == 0
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    monkeypatch.setattr(messages, "tell_loading", lambda options: pytest.fail("told that it loads"))
    assert call(*words)[0] == 0
    next((tmp_path / "out/detections").glob("0*/*.done.json")).unlink()
    status, _, (line,) = call(*words)
    assert (status, line.partition("bfloat16: ")[2][:20]) == (2, "this processor lacks")


def test_the_precision_of_workers_on_other_machines_is_not_that_of_the_driver(tmp_path, monkeypatch):
    class Planned(Exception):
        pass

    def plan(*_):
        raise Planned

    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    monkeypatch.setattr(driver, "resume_or_plan", plan)
    settings = {"detector": {"model": "scene-grounder", "precision": "bfloat16", "device": "cpu"}}
    for beam, error in ((("--runner=FlinkRunner", "--flink_master=localhost:1"), Planned), ((), CallError)):
        with pytest.raises(error):
            driver.ground(validate(settings), [SCENES], str(tmp_path), GroundOptions(beam=beam, quiet=True))


def test_what_killed_workers_left_is_gone_at_the_next_call(finished):
    before = sample_pairs.files_of(finished, "**/*")
    places = ("detections/00000", "decoys/timings/00000", "detections", "shards", "decoys/00000", "")
    for place in places:
        (finished / place).mkdir(parents=True, exist_ok=True)
        for name in ("a", "00000.done.json", "00000-00000.parquet"):
            (finished / place / f".gritmill-tmp-1-{name}").write_text("half")
    gritmill.ground("demo", inputs=SCENES, output=finished, limit=2)
    assert not list(finished.glob("**/.gritmill-tmp-*"))
    assert sample_pairs.files_of(finished, "**/*") == before


@pytest.mark.parametrize(
    "load",
    [
        "",
        "find_factory('leaves_open:make')",
        "find_factory('leaves_open:missing')",
        "load_entry(EntryPoint('a', 'leaves_open:make', 'b'), 'c')",
    ],
)
def test_a_file_that_user_code_leaves_open_is_whole(tmp_path, load):
    (tmp_path / "leaves_open.py").write_text("log = open('log', 'w')\nlog.write('all')\ndef make(): ...\n")
    code = (
        "import atexit, gc\natexit.register(lambda: print(gc.get_freeze_count() > 0))  # after those of `main`\n"
        "from importlib.metadata import EntryPoint\nfrom gritmill.main import main\n"
        "from transforms.garbage import importing, own_process\n"
        "from transforms.plugins import find_factory, load_entry\n"
        f"try: {load or None}\nexcept ValueError: pass\n"
        "own_process()\nwith importing(): pass  # freezes what was loaded before\nmain(['--version'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, str(not load))
    assert not load or (tmp_path / "log").read_text() == "all"
