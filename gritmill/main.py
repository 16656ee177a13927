"""The entry point of `gritmill`: arguments, exit status, and one line on standard error for every error.

Nothing slow is imported before `main` runs, so that Ctrl-C works from the first moment on.
"""

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress

from typer.exceptions import Abort, Exit, TyperException

from gritmill import interrupts, streams
from gritmill.cli import json_output
from pipeline.faults import RunFault, printable
from transforms.culprits import PluginError, message_of
from transforms.garbage import own_process

_RESUMABLE = (["run"], ["ground"], ["pack"], ["demo"], ["export"])
"""Commands that go on where they were interrupted. The others start again."""

EXIT_DONE, EXIT_CALL, EXIT_ENVIRONMENT, EXIT_INTERRUPTED = 0, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its status. Prints every fault as one line on standard error."""
    argv, beam = _split(list(sys.argv[1:] if arguments is None else arguments))
    interruption = "interrupted; run the same command to resume" if argv[:1] in _RESUMABLE else "interrupted"
    status, line = EXIT_INTERRUPTED, ""
    with suppress(KeyboardInterrupt), interrupts.terminable():
        streams.protect(silence_libraries=not _debugging())
        sys.unraisablehook = _on_unraisable
        own_process()
        _quiet_libraries()
        with json_output.only_json(json_output.is_wanted(argv)):
            status, line = _call(argv, beam)
            if interrupts.received() or status == EXIT_INTERRUPTED:  # Typer turns an interrupt into an exit
                status, line = EXIT_INTERRUPTED, interruption
            if line:
                _print_line(line)
            status = _print_object(status, line)
    if interrupts.received() or status == EXIT_INTERRUPTED:
        if not line:
            _print_line(interruption)
        status = EXIT_INTERRUPTED
    if interrupts.received():
        streams.flush()
        os._exit(status)  # the interpreter would wait for threads that are still working
    sys.exit(status)


def _print_object(status: int, line: str) -> int:
    """Prints the result of `--json`. Returns the exit status."""
    try:
        json_output.print_object(status, printable(line))
        streams.flush()  # an error of the disk behind it is reported here, not while Python exits
    except OSError as error:
        _print_line(_error_line(error))
        return status or EXIT_ENVIRONMENT
    return status


def _call(argv: list[str], beam: list[str]) -> tuple[int, str]:
    """Runs the command. Returns its exit status, and the line for standard error or an empty text."""
    if (encoding := sys.getfilesystemencoding()) != "utf-8":  # other names would be those of missing files
        return EXIT_ENVIRONMENT, f"the locale reads names of files as {encoding}, not UTF-8; set PYTHONUTF8=1"
    try:
        from gritmill.cli.commands import app
        from gritmill.cli.completion import join_assignments
        from gritmill.cli.derive import beam_arguments
        from pipeline.files.run_log import Caller, caller

        if os.environ.get("_GRITMILL_COMPLETE") == "complete_bash":
            join_assignments(os.environ)
        beam_arguments.set(tuple(beam))
        called = caller.set(Caller((*argv, *(["--", *beam] if beam else ()))))
        try:
            return app(args=argv, prog_name="gritmill", standalone_mode=False) or EXIT_DONE, ""
        finally:
            caller.reset(called)
    except Exit as error:
        return error.exit_code, ""
    except TyperException as error:
        line = error.format_message().replace("\n", " ")  # empty without a command, where only the help is shown
        line = line.replace(": Value error, ", ": ", 1)  # of Pydantic, by which Typer reads choices
        return EXIT_CALL, line + ("; Beam options go after --" if line.startswith("No such option") else "")
    except (KeyboardInterrupt, Abort):  # Typer turns an interrupt of the command into an Abort
        return EXIT_INTERRUPTED, ""
    except (Exception, SystemExit) as error:
        if interrupts.received():  # a library has turned the interrupt into another exception
            return EXIT_INTERRUPTED, ""
        if isinstance(error, SystemExit):
            raise
        _print_traceback(error)
        return (error.status, str(error)) if isinstance(error, RunFault) else (EXIT_ENVIRONMENT, _error_line(error))


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Splits the words into our arguments and Beam's, which follow `--`."""
    separator = argv.index("--") if "--" in argv else len(argv)
    return argv[:separator], argv[separator + 1 :]


def _error_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, PluginError) or (type(error) is ConnectionError and str(error)):  # the latter of files.remote
        return str(error)
    return f"{message_of(error)} (GRITMILL_DEBUG=1 shows where)"  # of a child process, as it was there


def _print_traceback(error: Exception) -> None:
    if _debugging():
        traceback.print_exception(error)


def _print_line(line: str) -> None:
    print(f"gritmill: {printable(line)}", file=sys.stderr)


def _debugging() -> bool:
    return bool(os.environ.get("GRITMILL_DEBUG"))


def _on_unraisable(arguments: "sys.UnraisableHookArgs") -> None:
    """Repeats an interrupt that a destructor swallowed. Prints what a destructor raised only while debugging."""
    interrupts.raise_again(arguments)
    if _debugging():
        sys.__unraisablehook__(arguments)


def _quiet_libraries() -> None:
    """Silences libraries: gritmill itself reports faults, in one line."""
    if _debugging():
        logging.basicConfig(level=logging.DEBUG)
        return
    logging.getLogger().setLevel(logging.CRITICAL)
    for name in ("apache_beam", "transformers"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    # Beam's threads print a traceback when a worker that they watch stops at the end of a run.
    threading.excepthook = lambda _: None
    for name, value in {
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_VERBOSITY": "critical",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
    }.items():
        os.environ.setdefault(name, value)
