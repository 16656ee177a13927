"""The command line: words, progress and exit statuses. What it does can be had from `gritmill.api` as well."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from contextvars import ContextVar
from importlib.metadata import version
from itertools import zip_longest
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, Exit, TyperException

from gritmill import api
from gritmill import demo as _demo
from gritmill.exports import FORMATS
from gritmill.exports.export import export as _export
from gritmill.exports.format import Level, Options
from gritmill.validate import validate as _validate
from pipeline import configuration as configurations
from pipeline import files
from pipeline.count import failures, rejections
from pipeline.faults import RunFault, first_line, printable
from pipeline.pack import check_given, find_detections
from pipeline.report import NAME as REPORT
from pipeline.report import show
from pipeline.retry import EVERY
from transforms.records import Reason

RETRY_FAILED = "--retry-failed"

DONE, DATA, CALL, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 130

_beam_words: ContextVar[tuple[str, ...]] = ContextVar("beam_words", default=())
"""What followed --. Typer would take the first word of it for CONFIG."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Config = Annotated[str, typer.Argument(help="A YAML file, or the name of one in configs/.", metavar="[CONFIG]")]
Inputs = Annotated[list[str], typer.Option("--input", help="URIs, globs or folders.", metavar="URI...")]
Output = Annotated[str, typer.Option("--output", help="Folder of the run.", metavar="DIR")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="section.key=value", metavar="KEY=VALUE...")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only N pairs, spread over the input.", metavar="N")]
Extend = Annotated[bool, typer.Option("--extend", help="Take in inputs that the plan does not know yet.")]
RedoChanged = Annotated[bool, typer.Option("--redo-changed", help="Read inputs anew that have changed since.")]
Retry = Annotated[
    str | None,
    typer.Option(
        RETRY_FAILED,
        help="Do chunks with failed pairs again, or those that failed for REASON.",
        metavar="[=REASON]",
    ),
]
Partial = Annotated[bool, typer.Option("--partial", help="Pack what there is of an unfinished ground.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
MaxFailed = Annotated[float, typer.Option("--max-failed", min=0, max=1, help="Share of failed pairs of a good run.")]
SourceFaults = Annotated[bool, typer.Option("--allow-source-faults", help="Faults of sources are no fault of the run.")]
FreshShards = Annotated[bool, typer.Option("--fresh", help="Replace shards of another fingerprint.")]
FreshDetections = Annotated[bool, typer.Option("--fresh", help="Move the old detections aside and begin anew.")]
FreshRun = Annotated[bool, typer.Option("--fresh", help="Move old detections aside, replace old shards.")]
Detections = Annotated[str | None, typer.Option("--detections", help="Of another run.", metavar="DIR")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"gritmill {version('gritmill')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="And exit.")] = False,
) -> None:
    """Image-caption pairs in, grounded WebDataset shards out. Beam options follow after --."""


@app.command()
def run(
    config: Config = "grit",
    *,
    input: Inputs,
    output: Output,
    set: Changes = None,
    limit: Limit = None,
    extend: Extend = False,
    redo_changed: RedoChanged = False,
    fresh: FreshShards = False,
    retry_failed: Retry = None,
    max_failed: MaxFailed = 0.05,
    allow_source_faults: SourceFaults = False,
    quiet: Quiet = False,
) -> None:
    """ground, then pack."""
    manifest = api.run(
        configurations.load(config, set or ()),
        inputs=input,
        output=output,
        limit=limit,
        extend=extend,
        redo_changed=redo_changed,
        fresh=fresh,
        retry_failed=retry_failed,
        beam=_beam_words.get(),
        quiet=quiet,
    )
    _finish(manifest, output, max_failed, allow_source_faults)


@app.command()
def ground(
    config: Config = "grit",
    *,
    input: Inputs,
    output: Output,
    set: Changes = None,
    limit: Limit = None,
    extend: Extend = False,
    redo_changed: RedoChanged = False,
    fresh: FreshDetections = False,
    retry_failed: Retry = None,
    quiet: Quiet = False,
) -> None:
    """Only the expensive half: find the boxes of every pair. Run it again and it goes on where it stopped."""
    api.ground(
        configurations.load(config, set or ()),
        inputs=input,
        output=output,
        limit=limit,
        extend=extend,
        redo_changed=redo_changed,
        fresh=fresh,
        retry_failed=retry_failed,
        beam=_beam_words.get(),
        quiet=quiet,
    )
    print(f"detections in {find_detections(output)}; next: gritmill pack --output {output}")


@app.command()
def pack(
    config: Config = "grit",
    *,
    output: Output,
    detections: Detections = None,
    set: Changes = None,
    fresh: FreshShards = False,
    partial: Partial = False,
    max_failed: MaxFailed = 0.05,
    allow_source_faults: SourceFaults = False,
    quiet: Quiet = False,
) -> None:
    """Only the cheap half: write shards from detections, without any model."""
    configuration = configurations.load(config, set or ())
    check_given(configuration, [change.partition("=")[0].strip() for change in set or ()], detections or output)
    manifest = api.pack(
        configuration,
        output=output,
        detections=detections,
        fresh=fresh,
        partial=partial,
        beam=_beam_words.get(),
        quiet=quiet,
    )
    _finish(manifest, output, max_failed, allow_source_faults)


@app.command()
def demo(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of the run.")] = _demo.FOLDER,
    limit: Limit = None,
    fresh: FreshRun = False,
    quiet: Quiet = False,
) -> None:
    """The whole run on bundled scenes with the embedded models: a first look, without hub or GPU."""
    if not quiet:
        _say(f"the bundled scenes go through the whole pipeline, into {folder}")
    manifest = _demo.run(folder, limit=limit, fresh=fresh, beam=_beam_words.get(), quiet=quiet)
    _demo.show(folder)
    _judge(manifest, 0.0, False)


@app.command()
def validate(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only N samples a shard.", metavar="N")] = None,
) -> None:
    """Read everything back. One line per fault; exit status 1 if there is one."""
    samples = 0
    faults = 0
    for fault in _validate(folder, limit):
        if fault.text:
            print(printable(": ".join(filter(None, (fault.shard, fault.key, fault.text)))))
            faults += 1
        else:
            samples += 1
    print(f"{samples} sample{'s' * (samples != 1)} read, {faults} fault{'s' * (faults != 1)}", file=sys.stderr)
    if faults:
        raise typer.Exit(DATA)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    *,
    to: Annotated[str, typer.Option("--to", help=", ".join(FORMATS), metavar="FORMAT")],
    output: Output,
    level: Annotated[Level, typer.Option("--phrases", help="Which spans become phrases.")] = Level.EXPRESSIONS,
    images: Annotated[bool, typer.Option(help="Write pictures as files, where the format names files.")] = True,
    dialect: Annotated[str, typer.Option(help="Of instructions.")] = "kosmos2",
    seed: Annotated[int, typer.Option(help="Of instructions.")] = 0,
) -> None:
    """Write a finished run in the format of another tool, from its shards alone. Run it again and it goes on."""
    written = _export(run, to, output, Options(images, level, dialect, seed))
    for name, number in written["figures"].items():
        print(f"{number:>12,}  {name}")
    print(f"{to} and a data card in {output}")


def _finish(manifest: dict[str, Any], output: str, max_failed: float, allow_faults: bool) -> None:
    """Shows the report, then judges."""
    show(files.read_json(files.join(files.canonical(output), REPORT)), output)
    _judge(manifest, max_failed, allow_faults)


def _judge(manifest: dict[str, Any], max_failed: float, allow_faults: bool) -> None:
    """Status 1 if the data has more faults than allowed, or nothing came out."""
    ledger = manifest["ledger"]
    if not ledger["written"]:
        rejected, failed = rejections(ledger), failures(ledger)
        _say(f"nothing was written: of {ledger['read']} pairs read {rejected} were rejected and {failed} failed")
        raise typer.Exit(DATA)
    share = failures(ledger) / ledger["read"] if ledger["read"] else 0.0
    if share > max_failed:
        _say(f"{failures(ledger)} of {ledger['read']} pairs failed, more than --max-failed {max_failed:g} allows")
        raise typer.Exit(DATA)
    if manifest["source_faults"] and not allow_faults:
        fault = manifest["source_faults"][0]
        _say(f"{fault['source']}: {fault['fault']} (--allow-source-faults lets this pass)")
        raise typer.Exit(DATA)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its status; every fault is one line on standard error."""
    words, beam = _split(list(sys.argv[1:] if arguments is None else arguments))
    _quiet_libraries()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # how a scheduler takes a machine back
    try:
        _beam_words.set(tuple(beam))
        status = app(args=_repeated(words), prog_name="gritmill", standalone_mode=False)
    except Exit as error:
        status = error.exit_code
    except TyperException as error:
        text = error.format_message().replace("\n", " ")
        if text:  # without a command there is only the help
            _say(text + ("; Beam options follow after --" if text.startswith("No such option") else ""))
        status = CALL
    except (KeyboardInterrupt, Abort):
        status = INTERRUPTED
    except RunFault as error:
        _say(str(error))
        status = error.status
    except Exception as error:
        if _debugging():
            raise
        _say(_environment(error))
        status = ENVIRONMENT
    if status == INTERRUPTED:  # Typer makes an exit of an interrupt
        _say("interrupted; the same command goes on where it stopped")
    sys.exit(status or DONE)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Our words, and Beam's after --."""
    if "--" not in words:
        return words, []
    border = words.index("--")
    return words[:border], words[border + 1 :]


def _repeated(words: Sequence[str]) -> list[str]:
    """`--input a b c` as click reads it, `--input a --input b --input c`: that is what a shell makes of a glob.

    `--retry-failed` gets the value that stands for every reason.
    """
    result: list[str] = []
    option = ""
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        if word == RETRY_FAILED:  # an option with a value that may be left out is not in click's grammar
            option = ""
            result.append(word if after in set(Reason) else f"{word}={EVERY}")
        elif word in ("--input", "--set"):
            option = word
        elif word.startswith("-"):
            option = ""
            result.append(word)
        elif option:
            result += [option, word]
        else:
            result.append(word)
    return result


def _environment(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {first_line(error)} (GRITMILL_DEBUG=1 shows where)"


def _say(line: str) -> None:
    print(f"gritmill: {printable(line)}", file=sys.stderr)


def _debugging() -> bool:
    return bool(os.environ.get("GRITMILL_DEBUG"))


def _quiet_libraries() -> None:
    """Libraries keep quiet: what a user must know is said by us, in one line."""
    if _debugging():
        logging.basicConfig(level=logging.DEBUG)
        return
    logging.getLogger().setLevel(logging.CRITICAL)
    for name in ("apache_beam", "transformers", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    # Beam's threads print a traceback when a worker that they watch ends with the run.
    threading.excepthook = lambda _: None
    for name, value in {
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
    }.items():
        os.environ.setdefault(name, value)
