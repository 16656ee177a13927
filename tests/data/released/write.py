"""Writes the runs beside this file, with the code of the commit that is checked out: `python write.py TARGET`.

The plan of a run holds the absolute paths of its inputs with their modification times, so both are fixed: PLACE, STAMP.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PLACE = Path("/tmp/gritmill-released/inputs")
STAMP = 1_750_000_000
ABSENT = "absent.jpg"
"""Not there while the runs are written, there afterwards: `--retry-failed` mends its pair."""

SETTINGS = ("chunk.pairs=4", "shards.pairs=16")


def scenes(clone):
    """Picture, caption and record of each bundled scene."""
    for tar in sorted((clone / "examples" / "scenes").glob("*.tar")):
        with tarfile.open(tar) as file:
            members = {info.name: file.extractfile(info).read() for info in file}
        for stem in sorted({name.partition(".")[0] for name in members}):
            yield members[f"{stem}.jpg"], members[f"{stem}.txt"], members[f"{stem}.json"]


def write_inputs(clone, folder):
    """A tar, JSON lines with images beside it, and parquet with images inside: 27 pairs, of which 5 must fail."""
    folder.mkdir(parents=True)
    found = list(scenes(clone))[:40:2]
    with tarfile.open(folder / "a.tar", "w", format=tarfile.USTAR_FORMAT) as file:
        for number, sample in enumerate(found[:10]):
            for ending, data in zip(("jpg", "txt", "json"), sample, strict=True):
                info = tarfile.TarInfo(f"{number:04}.{ending}")
                info.size = len(data)
                file.addfile(info, io.BytesIO(data))
    lines = []
    for number, (picture, caption, _) in enumerate(found[10:15]):
        name = ABSENT if number == 2 else f"{number}.jpg"
        (folder / name).write_bytes(picture)
        captions = [caption.decode(), "a picture of something else", ""][: 1 + number % 3]
        lines.append(json.dumps({"image": name, "captions": captions, "id": str(number), "photographer": "nobody"}))
    (folder / "broken.jpg").write_bytes(found[0][0][:600])
    lines.append(json.dumps({"image": "broken.jpg", "captions": ["a cut picture"]}))
    lines.append('{"image": ')
    (folder / "b.jsonl").write_text("\n".join(lines) + "\n")
    rows = [
        {"image": {"bytes": picture, "path": None}, "caption": caption.decode(), "url": f"https://example.org/{n}"}
        for n, (picture, caption, _) in enumerate(found[15:20])
    ]
    rows += [{"image": {"bytes": found[15][0], "path": None}, "caption": "it is nothing", "url": ""}]
    pq.write_table(pa.Table.from_pylist(rows), folder / "c.parquet", row_group_size=3)
    for path in folder.iterdir():
        os.utime(path, (STAMP, STAMP))


def run(*words, **options):
    """Runs a command with the interpreter's own programs."""
    return subprocess.Popen([Path(sys.executable).parent / words[0], *map(str, words[1:])], **options)


def main(target):
    clone = Path.cwd()
    shutil.rmtree(PLACE.parent, ignore_errors=True)
    write_inputs(clone, PLACE)
    shutil.copytree(PLACE, target / "inputs")
    (PLACE / ABSENT).unlink()
    finished, half = target / "finished", target / "half-done"
    words = ("demo", "--quiet", "--input", PLACE, "--set", *SETTINGS, "--output")
    assert run("gritmill", "run", *words, finished).wait() == 1  # 5 of 27 pairs fail, as they must
    process = run("gritmill", "ground", *words, half, start_new_session=True)
    while len(list(half.glob("detections/0*/*.parquet"))) < 2:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
