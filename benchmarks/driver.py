"""What the driver spends on a run of many sources: to plan it, to resume it, for a look at its progress, and for the
plan of `pack`. Processor time per source, listings and peak memory.

The run is a fake one: its files are there, mostly as links to a few, but no pair was ever read. A source stands for
7,000 pairs, which are one range and four chunks with `configs/cluster.yaml`. Each step is a process of its own, which
imports what the command imports, collects garbage as rarely, and ends before an engine would get the job.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

_SIZES = (20_000, 100_000)
_PAIRS = (2048, 2048, 2048, 856)
"""Of the chunks of a source."""

_NEW = 100
"""The third look finds so many sources that were finished since the second one."""

_LINKS = 30_000
"""File systems allow 65,000 links to a file, and few with a smaller limit are used for such runs."""

_MODEL = "detector.model=benchmarks.candidates:make"


def measure(work: Path, _: Path | None = None) -> list[Figure]:
    """Measures runs of several sizes."""
    return [figure for sources in _SIZES for figure in measure_run(work / "driver", sources)]


def measure_run(work: Path, sources: int) -> Iterator[Figure]:
    """Measures each step of a run with a number of sources. Needs nine files for each of them below `work`."""
    part = f"Driver, {sources:,} sources"
    shutil.rmtree(work, ignore_errors=True)
    fake = FakeRun(work)
    fake.write_sources(sources)
    found = {"import": _child("imports", work), "the headers of the tars alone": _child("headers", work)}
    found["plan, with the headers"] = _child("ground", work)
    fake.finish(range(sources // 2))
    found["resume, half of the ranges finished"] = _child("ground", work)
    found |= _child("looks", work)
    fake.finish(range(sources // 2 + _NEW, sources))
    found |= {"resume, all ranges finished": _child("ground", work), "plan of pack": _child("pack", work)}
    for name, one in found.items():
        each = one["seconds"] / sources * 1000
        value = f"{one['seconds']:.1f} s" if name == "import" else f"{each:.3f} ms a source"
        detail = ", ".join(f"{number:,} {what}" for what, number in one["counts"].items())
        goal = "at most 0.05 ms, under 400 MiB" if name.startswith(("resume", "first look", "look", "plan")) else ""
        yield Figure(part, name, f"{value}, {one['mib']:.0f} MiB", goal, detail)
    shutil.rmtree(work)


class FakeRun:
    """The files of a run in `work/in` and `work/out`. Needs no model, and writes 10,000 files a second."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._linked = Counter[str]()

    def write_sources(self, sources: int) -> None:
        """Writes the tars, each with a pair."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for name, content in (("000.jpg", b"no picture"), ("000.txt", b"a dog")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        for number in range(sources):
            self._write(self._work / "in" / f"{number:05}.tar", data.getvalue())

    def finish(self, sources: range) -> None:
        """Writes the rows, the timings and the summaries of sources. The chunk files are not read, and are empty."""
        from pipeline import layout
        from pipeline.files.typed import Typed, publish_typed
        from pipeline.ids import RangeId
        from pipeline.tables.range_summary import ChunkEntry, RangeSummary, Timing

        entries = tuple(ChunkEntry(number, rows, f"{number:032x}") for number, rows in enumerate(_PAIRS))
        contents: list[Typed] = [RangeSummary(1, entries, sum(_PAIRS))]
        contents += [Timing(rows, {"read": 1.0, "detect": 200.0}, 201.0, False, "host:1", 1e9, None) for rows in _PAIRS]
        paths = []
        for number, content in enumerate(contents):
            paths.append(self._work / f"{number}.json")
            publish_typed(str(paths[-1]), content)
        summary, *timings = (path.read_bytes() for path in paths)
        table = self._work / "out" / layout.DETECTIONS
        for range_id in (RangeId(source, 0) for source in sources):
            for number, timing in enumerate(timings):
                self._write(table / layout.timing(range_id.chunk(number)), timing)
                self._write(table / layout.chunk(range_id.chunk(number)), b"")
            self._write(table / layout.range_summary(range_id), summary)

    def _write(self, path: Path, data: bytes) -> None:
        """Writes a file, as a link if its content is that of an earlier one with its suffix."""
        kind = f"{path.suffix}{len(data)}"
        template = self._work / f"template-{os.getpid()}-{self._linked[kind] // _LINKS}{kind}"
        self._linked[kind] += 1
        if not template.exists():
            template.parent.mkdir(parents=True, exist_ok=True)
            template.write_bytes(data)
        try:
            os.link(template, path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True)
            os.link(template, path)


def _child(step: str, work: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.driver", step, str(work)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def _imports(work: Path) -> dict[str, Any]:
    """What a driver needs without any source: the imports of the graph are part of each `ground` with work left."""
    return _measured(lambda: None) | {"seconds": time.process_time()}


def _headers(work: Path) -> dict[str, Any]:
    """What `plan` spends inside of the sources, which it reads once."""
    from pipeline import configuration, files
    from pipeline.plan.plan_sources import plan_sources

    infos = files.list_tree(str(work / "in"))[str(work / "in")]
    return _measured(lambda: plan_sources(infos, configuration.load("cluster", [_MODEL])))


class _Stop(Exception):
    """Raised where the pipeline would be submitted."""


def _ground(work: Path) -> dict[str, Any]:
    return _measured(lambda: _stopped(work, lambda _: None))


def _stopped(work: Path, then: Callable[[Any], object]) -> None:
    """Runs `ground` up to its engine, then calls `then` with the `GroundProgress` instead."""
    import gritmill
    from pipeline import configuration
    from pipeline.ground import graph

    made: list[Any] = []

    class Progress(graph.GroundProgress):  # type: ignore[name-defined, misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    def run(*_: Any) -> None:
        then(made[-1])
        raise _Stop

    patches: dict[Any, dict[str, Any]] = {
        graph: {"GroundProgress": Progress},
        graph.run_pipeline: {"run": run},
        graph.progress: {"show_progress": lambda *_: nullcontext()},
    }
    for module, values in patches.items():
        for name, value in values.items():
            setattr(module, name, value)
    with suppress(_Stop):
        config = configuration.load("cluster", [_MODEL])
        gritmill.ground(config, inputs=[str(work / "in")], output=str(work / "out"))


def _looks(work: Path) -> dict[str, Any]:
    """The first look counts what earlier calls did; the second finds nothing new."""
    found: dict[str, Any] = {}

    def look(progress: Any) -> None:
        fake = FakeRun(work)
        for name in ("first look", "look, nothing new", f"look, {_NEW} new sources"):
            if "new sources" in name:
                first = len(os.listdir(work / "in")) // 2
                fake.finish(range(first, first + _NEW))
            found[name] = _measured(lambda: (progress.state(), list(progress.news())))

    _stopped(work, look)
    return found


def _pack(work: Path) -> dict[str, Any]:
    from pipeline.pack.driver import rows_by_range
    from pipeline.plan.plan import need_plan
    from pipeline.tables.detections import open_detections
    from pipeline.tables.sweep import sweep_for_pack

    folder = str(work / "out/detections")

    def plan() -> None:
        sweep_for_pack(str(work / "out"))
        table = open_detections(folder)
        rows_by_range(need_plan(folder), table, table.finished_ranges())

    return _measured(plan)


_counts = Counter[str]()


def _measured(work: Callable[[], object]) -> dict[str, Any]:
    _counts.clear()
    started = time.process_time()
    work()
    return {"seconds": time.process_time() - started, "mib": _peak(), "counts": dict(_counts)}


def _count() -> None:
    """Counts listings, of which each may have many pages, and JSON files that are read."""
    from pipeline import files

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            _counts["listings"] += 1
            return function(*arguments, **named)

        return call

    def opened(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".json") and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            _counts["JSON files read"] += 1

    sys.addaudithook(opened)
    for name in ("list_folder", "iter_folders", "list_tree", "match"):
        setattr(files, name, counted(getattr(files, name)))


def _peak() -> float:
    """The peak memory of this process in MiB. `ru_maxrss` would include that of the parent when it forked."""
    with open("/proc/self/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) / 1024


_STEPS = {"imports": _imports, "headers": _headers, "ground": _ground, "looks": _looks, "pack": _pack}

if __name__ == "__main__":
    step, folder = sys.argv[1:]
    from pipeline.ground import graph  # noqa: F401
    from transforms.garbage import collect_rarely

    collect_rarely()  # as the command does
    _count()
    print(json.dumps(_STEPS[step](Path(folder))))
