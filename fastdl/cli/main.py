"""The command line as a whole: commands, errors, exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import fastdl
from fastdl.errors import ArgumentError, FastdlError, near, suggest

_EXAMPLES = """\
examples:
  fastdl train digits                        train the default network, keep the run
  fastdl diagnose runs/digits                what to do next
  fastdl report runs/digits                  a page about it, for a browser
  fastdl errors runs/digits                  look at its mistakes, and tag them
  fastdl labels digits                       find labels that are likely wrong
  fastdl compare runs/digits runs/other      choose one of several runs
  fastdl tune digits                         search better settings
  fastdl predict runs/digits picture.png     ask it about a picture
  fastdl export runs/digits --onnx net.onnx  write it for other programs
  fastdl recipes                             settings that train well, by name
  fastdl COMMAND --help                      the options of a command, with examples
"""

# Each is a module of this package, with HELP, DESCRIPTION, EXAMPLES, add_arguments,
# run.
COMMANDS = (
    "train",
    "tune",
    "evaluate",
    "compare",
    "diagnose",
    "report",
    "errors",
    "labels",
    "predict",
    "export",
    "recipes",
    "models",
    "summary",
    "gradcheck",
    "info",
)


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing the usage and ending the program."""

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read the options; refuse those that a command has not, with a hint."""
        found, rest = super().parse_known_args(args, namespace)
        for given in rest:
            if given.startswith("--"):
                option, known = given.partition("=")[0], self._option_string_actions
                self.error(f"unknown option {option}{near(option, known, 'options')}")
        return found, rest

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            hint = suggest(str(value), action.choices)
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{hint}")

    def error(self, message: str) -> NoReturn:
        raise ArgumentError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command ``fastdl``.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the program.

    Returns
    -------
    int
        The exit code: 0; 2 after an error, which is told in one line on the standard
        error stream; 130 after Ctrl-C, 143 after a SIGTERM that let a training finish
        its step. ``FASTDL_DEBUG=1`` shows tracebacks instead.
    """
    try:
        arguments = _parser().parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            arguments.run(arguments)
        if sys.stdout is not None:  # it may be closed, as by `fastdl info >&-`
            sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        return _fail(f"interrupted {interrupt}".strip(), 130)
    except SystemExit as end:
        if end.code != 128 + signal.SIGTERM:
            raise
        return _fail(f"terminated {end}", 143)
    except BrokenPipeError:  # such as `fastdl info | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("FASTDL_DEBUG") == "1":
            raise
        return _fail(f"error: {_reason(error)}", 2)
    return 0


def _parser() -> argparse.ArgumentParser:
    # Imported here, so that a wrong environment variable is reported in one line.
    commands_by_name = {name: import_module(f"fastdl.cli.{name}") for name in COMMANDS}

    parser = _Parser(
        prog="fastdl",
        description="Train neural networks on CPUs.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"fastdl {fastdl.__version__}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in commands_by_name.items():
        own = commands.add_parser(
            name,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(own)
        own.set_defaults(run=command.run)
    return parser


def _reason(error: Exception) -> str:
    """Return the message of an error in one line."""
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename else ""
        text = f"{file}{error.strerror}"
    elif isinstance(error, FastdlError):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error} (FASTDL_DEBUG=1 shows where)"
    return " ".join(text.split())


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning in one line, without its place in the code."""
    print(f"fastdl: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _fail(message: str, code: int) -> int:
    def tell() -> None:
        print(f"fastdl: {message}", file=sys.stderr)

    parallel = sys.modules.get("fastdl.parallel")
    if parallel is not None and parallel.is_launched():
        parallel.end_all(code, tell)  # the others would wait for this process
    else:
        tell()
    return code
