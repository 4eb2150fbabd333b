"""The arguments of the command line. Only argparse is imported for them, so that `--help` answers at once."""

import argparse
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import cevns_fast as cf
from cevns_fast.cli.models import parameter
from cevns_fast.cli.options import COMMANDS


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parsed arguments, and NAME=VALUE found after options too: argparse leaves those over."""
    parser, words = command_line(), sys.argv[1:] if argv is None else list(argv)
    _refuse_unknown_options(parser, words)
    args, rest = parser.parse_known_args(words)
    if rest and ("parameters" not in args or any(each.startswith("-") for each in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    rest += vars(args).get("behind_names", [])
    try:
        for each in rest:
            args.parameters.append(parameter(each))
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    return args


class _Parser(argparse.ArgumentParser):
    """Bad arguments are errors like any other: one line, exit status 2."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # argparse takes -1e-3 and -1:1:401 for options; no option of ours begins with a digit.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def knows(self, word: str) -> bool:
        """Whether a word is none of an option, or one of this command: `-oDIR`, `--output=DIR` and `--outp` are."""
        if not word.startswith("-") or word in ("-", "--") or " " in word or self._negative_number_matcher.match(word):
            return True
        if word.startswith("--"):
            return any(each.startswith(word.partition("=")[0]) for each in self.spellings)
        return word[:2] in self.spellings

    @property
    def spellings(self) -> list[str]:
        """All options."""
        return list(self._option_string_actions)


def command_line() -> _Parser:
    """All commands; also what `completion` reads."""
    parser = _Parser(
        prog="cevns-fast",
        description="Coherent neutrino-nucleus scattering with new physics: rates, limits, papers.",
        epilog="cevns-fast limit, without arguments, is a good start.",
    )
    parser.add_argument("--version", action="version", version=f"cevns-fast {cf.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name, (summary, add_arguments) in COMMANDS.items():
        add_arguments(commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:]))
    return parser


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, Any]:
    """The parser of each command."""
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return commands.choices


def _refuse_unknown_options(parser: _Parser, words: Sequence[str]) -> None:
    """Name an option that is none: argparse would leave it over and complain about what it took for NAME=VALUE."""
    for i, word in enumerate(words):
        command = commands_of(parser).get(word)
        if command is not None:
            behind = words[i + 1 :]
            break
        if not parser.knows(word):
            command, behind = parser, [word]
            break
    else:
        return
    options = behind[: behind.index("--")] if "--" in behind else behind
    for word in options:
        if not command.knows(word):
            name = word.partition("=")[0]
            known = {spelling.lstrip("-"): spelling for spelling in command.spellings}
            close = difflib.get_close_matches(name.lstrip("-"), known, n=1)
            hint = f"did you mean {known[close[0]]}?" if close else f"{command.prog} --help lists what there is"
            parser.error(f"unrecognized arguments: {name}; {hint}")
