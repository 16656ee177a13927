"""The entry point of `gritmill`: arguments, exit status, and one line on standard error for every error.

Nothing slow is imported before `main` runs, so that Ctrl-C works from the first moment on.
"""

import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence

from typer.exceptions import Abort, Exit, TyperException

from gritmill.cli import json_output
from pipeline.faults import RunFault, first_line, printable
from transforms.culprits import PluginError

_NOT_RESUMABLE = (["eval"], ["calibrate"])
"""Commands that cannot resume."""

EXIT_DONE, EXIT_CALL, EXIT_ENVIRONMENT, EXIT_INTERRUPTED = 0, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its status. Prints every fault as one line on standard error."""
    argv, beam = _split(list(sys.argv[1:] if arguments is None else arguments))
    _quiet_libraries()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # schedulers send it before they take a machine back
    with json_output.only_json(json_output.is_wanted(argv)):
        status, line = _call(argv, beam)
        if line:
            _print_line(line)
        try:
            json_output.print_object(status, printable(line))
        except OSError as error:  # the reader of a pipe has ended, or the disk is full
            _print_line(f"standard output: {_error_line(error)}")
            status = status or EXIT_ENVIRONMENT
    sys.exit(status)


def _call(argv: list[str], beam: list[str]) -> tuple[int, str]:
    """Runs the command. Returns its exit status, and the line for standard error or an empty text."""
    status, line = EXIT_DONE, ""
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
            status = app(args=argv, prog_name="gritmill", standalone_mode=False) or EXIT_DONE
        finally:
            caller.reset(called)
    except Exit as error:
        status = error.exit_code
    except TyperException as error:
        line = error.format_message().replace("\n", " ")  # empty without a command, where only the help is shown
        line += "; Beam options go after --" if line.startswith("No such option") else ""
        status = EXIT_CALL
    except (KeyboardInterrupt, Abort):
        status = EXIT_INTERRUPTED
    except RunFault as error:
        _print_traceback(error)
        status, line = error.status, str(error)
    except Exception as error:
        _print_traceback(error)
        status, line = EXIT_ENVIRONMENT, _error_line(error)
    if status == EXIT_INTERRUPTED:  # Typer turns an interrupt into an exit
        line = "interrupted" if argv[:1] in _NOT_RESUMABLE else "interrupted; run the same command to resume"
    return status, line


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Splits the words into our arguments and Beam's, which follow `--`."""
    separator = argv.index("--") if "--" in argv else len(argv)
    return argv[:separator], argv[separator + 1 :]


def _error_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, PluginError):
        return str(error)
    return f"{type(error).__name__}: {first_line(error)} (GRITMILL_DEBUG=1 shows where)"


def _print_traceback(error: Exception) -> None:
    if _debugging():
        traceback.print_exception(error)


def _print_line(line: str) -> None:
    print(f"gritmill: {printable(line)}", file=sys.stderr)


def _debugging() -> bool:
    return bool(os.environ.get("GRITMILL_DEBUG"))


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
