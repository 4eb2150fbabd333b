"""``cevns-fast completion``: what lets a shell complete commands, options and the names of what is built in."""

import argparse
from collections.abc import Sequence

import cevns_fast as cf
from cevns_fast.cli.arguments import command_line, commands_of
from cevns_fast.cli.models import EXPLORED, MODELS

_BASH = """\
_cevns_fast() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=
    case "${{COMP_WORDS[1]}} $before" in
{values}
    *) case "${{COMP_WORDS[1]}}" in
{options}
        esac
        [ "$COMP_CWORD" -eq 1 ] && words="{commands}" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    [ -n "$words" ] || COMPREPLY=($(compgen -f -- "$current"))
}}
complete -F _cevns_fast cevns-fast
"""


def run(args: argparse.Namespace) -> None:
    """Print the script of a shell."""
    print(script(args.shell), end="")


def script(shell: str) -> str:
    """The script of a shell: bash's, which zsh reads as well, or fish's."""
    if shell == "fish":
        return _fish()
    values, options = [], []
    for name, actions in _commands().items():
        for action in actions:
            words = _values(action)
            if action.option_strings and words:
                spellings = "|".join(f'"{name} {option}"' for option in action.option_strings)
                values.append(f'    {spellings}) words="{" ".join(words)}" ;;')
        free = [word for action in actions if not action.option_strings for word in _values(action)]
        options.append(f'        {name}) words="{" ".join([*_options(actions), *free])}" ;;')
    text = _BASH.format(values="\n".join(values), options="\n".join(options), commands=" ".join(_commands()))
    return f"autoload -U +X bashcompinit && bashcompinit\n{text}" if shell == "zsh" else text


def _fish() -> str:
    """A line for each word, with what it is."""
    lines = ["complete -c cevns-fast -n __fish_use_subcommand -f"]
    for name, actions in _commands().items():
        lines.append(f"complete -c cevns-fast -n __fish_use_subcommand -a {name}")
        where = f"complete -c cevns-fast -n '__fish_seen_subcommand_from {name}'"
        for action in actions:
            words = _values(action)
            given = f" -x -a '{' '.join(words)}'" if words else ""
            if not action.option_strings:
                lines += [f"{where}{given}"] if words else []
                continue
            spellings = [f"-l {o[2:]}" if o.startswith("--") else f"-s {o[1:]}" for o in action.option_strings]
            lines.append(f"{where} {' '.join(spellings)}{given}")
    return "\n".join(lines) + "\n"


def _commands() -> dict[str, Sequence[argparse.Action]]:
    """The arguments of each command."""
    return {name: parser._actions for name, parser in commands_of(command_line()).items()}


def _options(actions: Sequence[argparse.Action]) -> list[str]:
    return [option for action in actions for option in action.option_strings if option.startswith("--")]


def _values(action: argparse.Action) -> list[str]:
    """What an option or argument can be, where that is a list of names."""
    if action.choices is not None:
        return [str(each) for each in action.choices]
    if action.dest == "experiment":
        return list(cf.available_experiments())
    if action.dest == "model" and "dipole" not in (action.help or ""):
        return list(EXPLORED if action.nargs == "+" else MODELS)
    return []
