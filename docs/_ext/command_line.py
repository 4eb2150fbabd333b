"""The directive `command-line`: a section for each command of cevns-fast, as its parser has it."""

import argparse
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from cevns_fast.cli.arguments import command_line, commands_of

# A first line to try, for each command.
EXAMPLES = {
    "experiments": "cevns-fast experiments --brief",
    "rate": "cevns-fast rate m_chi=10 a_M=3e-4",
    "limit": "cevns-fast limit --couplings C_V --masses 20 -o results",
    "scan": "cevns-fast scan C_S a_M m_chi=40 --points 101 -o results",
    "dark-matter": "cevns-fast dark-matter -e coherent-csi-2017 --masses 6 -o results",
    "reproduce": "cevns-fast reproduce chao-2021 -o chao",
    "explore": "cevns-fast explore -e coherent-csi-2017 --model light-vector -o explorer.html",
    "popxf": "cevns-fast popxf m_chi=20 -c C_V a_M -o results",
    "c-interface": "cevns-fast c-interface -o c",
    "completion": "cevns-fast completion bash",
}


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command's name and parser."""
    yield from commands_of(command_line()).items()


def rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """What may be given, and what it does."""
    for action in parser._actions:
        if action.dest == "help":
            continue
        shown = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest)
        shown = " ".join(shown) if isinstance(shown, tuple) else str(shown)
        value = {0: "", "*": f"[{shown} …]", "+": f"{shown} …", "?": f"[{shown}]", 2: shown}.get(action.nargs, shown)
        if not action.option_strings and action.nargs == 2:
            value = f"{shown} {shown}"
        names = ", ".join(action.option_strings)
        yield f"{names} {value}".strip(), (action.help or "") % {**vars(action), "prog": parser.prog}


class CommandLine(SphinxDirective):
    """Sections with a line to try and a table of arguments."""

    def run(self) -> list[nodes.Node]:
        """One section for each command."""
        return [self._section(*each) for each in commands()]

    def _section(self, name: str, parser: argparse.ArgumentParser) -> nodes.section:
        section = nodes.section("", nodes.title("", f"cevns-fast {name}"), ids=[f"cevns-fast-{name}"])
        section += nodes.paragraph("", f"{parser.description}.")
        line = EXAMPLES.get(name, f"cevns-fast {name} --help")
        section += nodes.literal_block(line, line, language="sh")
        lines = list(rows(parser))
        if not lines:
            return section
        group = nodes.tgroup("", cols=2)
        group += [nodes.colspec(colwidth=w) for w in (35, 65)]
        group += nodes.thead("", self._row(nodes.paragraph("", "argument"), nodes.paragraph("", "what it does")))
        body = nodes.tbody()
        for argument, words in lines:
            body += self._row(nodes.paragraph("", "", nodes.literal("", argument)), nodes.paragraph("", words))
        group += body
        section += nodes.table("", group, classes=["arguments"])
        return section

    @staticmethod
    def _row(*cells: nodes.Node) -> nodes.row:
        return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def setup(app: Sphinx) -> dict[str, Any]:
    """The directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
