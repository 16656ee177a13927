"""The content of the folder, without a browser."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import gritmill
from gritmill.main import main
from gritmill.pages.thumbnails import LONG_SIDE, make_thumbnails
from gritmill.pages.viewer import page_data
from gritmill.pages.viewer.page import _CLICKS_FILES, _STATIC_FILES
from gritmill.pages.viewer.serve import address, server
from gritmill.pages.viewer.view import view
from pipeline.layout import TEMPORARY
from pipeline.tables.detections import read_all
from tests import interrupts, sample_pairs
from tests.gritmill.pages.viewer.conftest import ODD, read
from tests.pipeline.builders import plan
from tests.unsealed import unsealed
from transforms.images import bytes_digest
from transforms.records import ImageRef, Pair


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_script_holds_any_value_and_nothing_that_html_or_javascript_would_obey(value):
    text = page_data.to_script(value).decode("ascii")
    assert not set("<>&") & set(text)
    inner = text.removeprefix("window.GRITMILL = JSON.parse(").removesuffix(");\n")
    assert json.loads(json.loads(inner)) == value


@given(st.floats(0, 1, width=32))
def test_numbers_are_short_and_the_same_in_32_bits(value):
    short = page_data.shortest_float(value)
    assert np.float32(short) == np.float32(value)
    assert len(repr(short)) <= len(repr(value))


def test_the_folder_is_whole_and_the_same_twice(finished, tmp_path):
    told = view(finished, tmp_path / "one", samples=30)
    view(finished, tmp_path / "two", samples=30)
    assert sample_pairs.files_of(tmp_path / "one", "**/*") == sample_pairs.files_of(tmp_path / "two", "**/*")
    assert told["page"] == str(tmp_path / "one/index.html")
    assert told["kept"] + told["rejected"] + told["failed"] == 30
    there = {path.name for path in (tmp_path / "one").iterdir() if not path.name.startswith(".")}
    assert there == {"index.html", "data.js", "images", *_STATIC_FILES, *_CLICKS_FILES}


def test_the_page_names_what_is_there(finished, tmp_path):
    view(finished, tmp_path / "out")
    page = (tmp_path / "out/index.html").read_text()
    assert all(f'"{name}"' in page for name in (*_STATIC_FILES, "data.js"))
    assert "//" not in page.replace("<!doctype", "")
    asking = (tmp_path / "out/clicks.html").read_text()
    assert all(f'"{name}"' in asking for name in ("clicks.css", "clicks.js", "index.html", "data.js"))
    assert '"clicks.html"' in page
    samples = read(tmp_path / "out")["samples"]
    assert [s["caption"] for s in samples[: len(ODD)]] == list(ODD)
    assert all((tmp_path / "out" / s["picture"]).is_file() for s in samples if s["picture"])


def test_captions_of_one_picture_share_it(finished, tmp_path):
    view(finished, tmp_path / "out")
    names = [s["picture"] for s in read(tmp_path / "out")["samples"] if s["picture"]]
    assert len(names) > len(set(names)) == len(list((tmp_path / "out/images").iterdir()))


def test_an_earlier_page_is_replaced(finished, tmp_path):
    view(finished, tmp_path / "out", samples=60)
    view(finished, tmp_path / "out", samples=5, seed=2)
    value = read(tmp_path / "out")
    assert (len(value["samples"]), value["seed"]) == (5, 2)
    assert {f"images/{path.name}" for path in (tmp_path / "out/images").iterdir()} == {
        s["picture"] for s in value["samples"] if s["picture"]
    }


def test_thumbnails_are_small_upright_jpegs(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2000, 1000), "red").save(tmp_path / "a.jpg", exif=exif)
    picture = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(picture[:200])
    table = tmp_path / "s.jsonl"
    table.write_text('{"image": "a.jpg", "caption": "a dog"}')
    pairs = [
        Pair(name, str(table), 0, "a dog", ImageRef(str(tmp_path / name), -1, 0, size, bytes_digest(picture[:size])))
        for name, size in (("a.jpg", len(picture)), ("b.jpg", 200))
    ]
    whole, cut, none = make_thumbnails([*pairs, Pair("c", "s", 0, "a dog")], plan([table]))
    with Image.open(io.BytesIO(whole.jpeg)) as small:
        assert (small.format, small.size) == ("JPEG", (LONG_SIDE // 2, LONG_SIDE))
    assert (cut.jpeg, cut.missing.stage) == (b"", "image")
    assert (none.jpeg, none.missing.reason) == (b"", "no_image")


def test_a_picture_that_is_gone_costs_itself_alone(tmp_path):
    tars = sample_pairs.as_tars(sample_pairs.drawn(8), tmp_path / "in")
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:factory")
    table = sample_pairs.as_jsonl(sample_pairs.drawn(4), tmp_path / "files")
    gritmill.run(config, inputs=[table, tars], output=tmp_path / "both")
    (tmp_path / "in/00000.tar").unlink()
    (tmp_path / "files/images/00001.jpg").unlink()
    (tmp_path / "files/images/00002.jpg").write_bytes(b"another picture")
    told = view(tmp_path / "both")
    samples = read(tmp_path / "both/view")["samples"]
    missing = [s["missing"].partition(" (")[0] for s in samples]
    in_files, in_tars = ["", "fetch: gone", "fetch: changed", ""], ["fetch: gone"] * 4 + [""] * 4
    assert missing == in_files + in_tars
    assert told["missing"] == 6
    assert all(s["outcome"][0] == "kept" for s in samples)


def test_a_folder_that_holds_something_else_is_left_alone(finished, tmp_path):
    (tmp_path / "README.md").write_text("my own project")
    with pytest.raises(gritmill.CallError, match="is not empty"):
        view(finished, tmp_path)
    assert (tmp_path / "README.md").read_text() == "my own project"
    assert os.listdir(tmp_path) == ["README.md"]


def test_a_folder_in_which_another_run_writes_is_not_swept(finished, copied):
    half = copied / "shards" / f"00009.tar.{TEMPORARY}1"
    half.write_bytes(b"half a shard")
    with pytest.raises(gritmill.CallError, match="is not empty"):
        view(finished, copied / "shards")
    with pytest.raises(gritmill.CallError, match="is not empty"):
        gritmill.export(finished, "odvg", copied / "shards")
    assert half.exists()


def test_what_cannot_be_shown(copied, tmp_path):
    with pytest.raises(gritmill.CallError, match="not a finished run"):
        view(tmp_path)
    with pytest.raises(gritmill.CallError, match="this is the run folder"):
        view(copied, copied)
    with pytest.raises(gritmill.CallError, match="must be at least 1"):
        view(copied, samples=0)
    plan = unsealed(copied / "detections/plan.json")
    (copied / "detections/plan.json").write_text(json.dumps({**plan, "fingerprint": "another"}))
    with pytest.raises(gritmill.CallError, match="was packed from other detections"):
        view(copied)
    shutil.rmtree(copied / "detections")
    with pytest.raises(gritmill.CallError, match=r"--detections: .*no plan\.json"):
        view(copied)


def test_a_run_without_statistics_is_told(copied):
    (copied / "statistics.json").unlink()
    with pytest.raises(gritmill.CallError, match=r"no statistics\.json; run gritmill pack again"):
        view(copied)
    assert not (copied / "view/index.html").exists()


def test_a_run_whose_detections_are_being_replaced_is_told(copied):
    """As while `ground --redo-changed` is reading a source again."""
    summary = next((copied / "detections").glob("0*/*.done.json"))
    content = summary.read_bytes()
    summary.unlink()
    with pytest.raises(gritmill.EnvironmentFault, match="changed since the run was packed; run gritmill ground"):
        view(copied)
    assert not (copied / "view").exists()
    value = json.loads(content)
    value["chunks"][0]["digest"] = "0" * 40  # ground is done with other rows, but they have not been packed
    summary.write_text(json.dumps({key: item for key, item in value.items() if key != "checksum"}))
    with pytest.raises(gritmill.EnvironmentFault, match="then gritmill pack --fresh"):
        view(copied)


def test_a_pack_of_another_runs_detections_has_a_stop_at_its_own_threshold_where_the_grid_lacks_it(finished, tmp_path):
    manifest = gritmill.pack({"selection": {"score": 0.555}}, output=tmp_path / "run", detections=finished)
    told = view(tmp_path / "run", detections=finished)
    assert told["kept"] == manifest["ledger"]["written"]
    stops = read(tmp_path / "run/view")["stops"]
    own = stops["own"]
    assert stops["score"][own - 1 : own + 2] == [0.55, 0.555, 0.56]
    assert stops["pairs"][own] == manifest["ledger"]["written"]
    assert stops["boxes"][own] == sum(shard["boxes"] for shard in manifest["shards"])


def test_the_command_line(copied, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["view", str(copied), "--samples", "10", "--seed", "4", "--quiet"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"page in {copied}/view/index.html" in said
    assert len(read(copied / "view")["samples"]) == 10


def status(url, host=None):
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_server_gives_that_folder_to_this_machine_alone(copied):
    view(copied)
    with server(str(copied / "view")) as running:
        assert running.server_address[0] == "127.0.0.1"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        base = address(running)
        assert status(base) == 200
        assert status(base + "data.js") == 200
        for path in ("images/", "../manifest.json", "%2e%2e/manifest.json", "none"):
            assert status(base + path) == 404
        assert status(base, "a.page.elsewhere.example:80") == 403
        with pytest.raises(gritmill.CallError, match="--port"):
            server(str(copied / "view"), running.server_address[1])
        running.shutdown()


def test_only_a_local_folder_can_be_served():
    with pytest.raises(gritmill.CallError, match="not on this machine"):
        server("gs://bucket/view")


def test_serve_ends_with_an_interrupt(copied):
    words = [sys.executable, "-m", "gritmill", "view", str(copied), "--samples", "3", "--serve", "--quiet"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, **pipes, text=True, preexec_fn=interrupts.hear) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        assert status(next(word for word in lines[-1].split() if word.startswith("http"))) == 200
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""


def test_every_candidate_of_the_table_is_on_the_page(finished, tmp_path):
    view(finished, tmp_path / "out")
    pairs = list(read_all(str(finished / "detections")))
    for told, pair in zip(read(tmp_path / "out")["samples"], pairs, strict=True):
        assert [(b[0], *map(np.float32, b[1:])) for b in told["boxes"]] == [
            (box.phrase, *map(np.float32, (*box.corners, box.score))) for box in pair.boxes
        ]
