"""Finds the commands and overrides that a text shows its reader.

Looked at are code blocks and code spans of Markdown, the comments and help texts of YAML, and the docstrings,
help texts and messages of Python. The conventions of the documents:

- a word in capitals (DIR, A.ckpt, RUN) stands for a value of the reader's, and so does a name that begins
  with "my"; key=value stands for any override;
- a|b shows alternatives, [...] what may be left out;
- a command within a sentence need not be whole, one in a code block must be;
- a command whose next line begins with "error:" is shown because it is refused.
"""

import ast
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

_COMMAND = re.compile(
    r"(?:(?:python3? +)?(?P<script>train|predict)\.py|(?:python3? -m +)?\bbrainseg +(?P<tool>[a-z]+))"
    r"(?P<rest>(?: .*)?)$"
)
_OVERRIDE = re.compile(r"[+~]{0,2}[a-z_][\w.]*(?:@[\w.]+)?=\S*")
_FENCE = re.compile(r"^ *(```|~~~)")
_SPAN = re.compile(r"`([^`\n]+)`")
_OPTIONS = ("-m", "--multirun", "--help", "--resolve", "--cfg", "job")


@dataclass(frozen=True)
class Shown:
    """A command, or overrides without one.

    Args:
        where: File and line.
        program: train, predict, another subcommand of brainseg, or "" for overrides alone.
        arguments: One of the alternatives that are shown.
        whole: Whether it stands in a code block, and not within a sentence.
        refused: Whether it is shown because it is refused.
    """

    where: str
    program: str
    arguments: tuple[str, ...]
    whole: bool = False
    refused: bool = False


Tools = Mapping[str, Collection[str]]  # the subcommands of brainseg, each with its own


def shown_in(path: Path, name: str, tools: Tools) -> list[Shown]:
    """All that a file shows, by its suffix."""
    text = path.read_text()
    found = {".md": in_markdown, ".yaml": in_yaml, ".py": in_python}[path.suffix](text, tools)
    return [Shown(f"{name}:{line}", *rest) for line, *rest in found]


def in_markdown(text: str, tools: Tools) -> Iterator[tuple]:
    lines = text.splitlines()
    for start, block in _blocks(lines):
        yield from _in_block(start, block)
    code = {start + i for start, block in _blocks(lines) for i in range(len(block))}
    for number, line in enumerate(lines):
        if number not in code:
            for span in _SPAN.findall(line):
                yield from _in_span(number + 1, span)


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Fenced and indented blocks: the index of the first line, and the lines."""
    start, fenced = None, False
    for number, line in enumerate([*lines, "end"]):
        if _FENCE.match(line):
            if start is not None:
                yield start, lines[start:number]
            start, fenced = (None, False) if fenced else (number + 1, True)
        elif not fenced:
            indented = line.startswith("    ") and bool(line.strip())
            if indented and start is None and _follows_blank(lines, number):
                start = number
            elif not indented and start is not None and (line.strip() or number == len(lines)):
                yield start, lines[start:number]
                start = None


def _follows_blank(lines: list[str], number: int) -> bool:
    return number == 0 or not lines[number - 1].strip()


def _in_block(start: int, block: list[str]) -> Iterator[tuple]:
    """Commands of a code block; where some lines have a prompt, the others are what a program prints."""
    prompted = any(line.lstrip().startswith("$ ") for line in block)
    for i, line in enumerate(block):
        line = line.strip()
        if prompted and not line.startswith("$ "):
            continue
        further = i
        while line.endswith("\\") and further + 1 < len(block):
            further += 1
            line = line[:-1] + block[further].strip()
        refused = further + 1 < len(block) and block[further + 1].lstrip().startswith("error:")
        if (match := _COMMAND.search(line)) and _begins(line[: match.start()]):
            yield from _command(start + i + 1, match, refused=refused, block=True, alone=True)


def _begins(before: str) -> bool:
    """Whether nothing but a prompt, variables and launchers stands before a command."""
    return all(re.fullmatch(r"\$|srun|torchrun|time|[A-Z_]+=\S*|\S*/", word) for word in before.split())


def _in_span(line: int, span: str) -> Iterator[tuple]:
    match = _COMMAND.search(span)
    if match and _begins(span[: match.start()]):
        yield from _command(line, match, alone=True)
    elif all(_OVERRIDE.fullmatch(token) for token in span.split()):
        yield from _overrides(line, span.split())


def in_yaml(text: str, tools: Tools) -> Iterator[tuple]:
    """Commands anywhere; overrides in comments, where their keys have a dot."""
    for number, line in enumerate(text.splitlines(), 1):
        match = _COMMAND.search(line)
        if match and (match["script"] or match["tool"] in tools):
            yield from _command(number, match, own=tools.get(match["tool"], ()))
            line = line[: match.start()]
        _, _, comment = line.partition("#")
        tokens = [token.strip("`,;:()").rstrip(".") for token in comment.split()]
        for token in tokens:
            if _OVERRIDE.fullmatch(token) and "." in token.partition("=")[0]:
                yield from _overrides(number, [token])


def in_python(text: str, tools: Tools) -> Iterator[tuple]:
    """What docstrings and other texts show: commands anywhere, overrides in code spans."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for offset, line in enumerate(node.value.splitlines()):
                for span in _SPAN.findall(line):
                    yield from _in_span(node.lineno + offset, span)
                match = _COMMAND.search(_SPAN.sub("", line))
                if match and (match["script"] or match["tool"] in tools):
                    own = tools.get(match["tool"], ())
                    yield from _command(node.lineno + offset, match, own=own)


def _command(
    line: int,
    match: re.Match,
    *,
    own: Collection[str] = (),
    refused: bool = False,
    block: bool = False,
    alone: bool = False,
) -> Iterator[tuple]:
    """The alternatives of a command; `alone` where no prose follows it; `own` are its subcommands."""
    composed = bool(match["script"]) or match["tool"] in ("train", "predict")
    program = match["script"] or match["tool"]
    for alternative in _alternatives(_arguments(match["rest"], own=own, composed=composed, alone=alone)):
        yield line, program, alternative, block, refused


def _overrides(line: int, tokens: list[str]) -> Iterator[tuple]:
    for alternative in _alternatives([token for token in tokens if not _is_the_readers(token)]):
        if alternative:
            yield line, "", alternative


def _arguments(rest: str, *, own: Collection[str], composed: bool, alone: bool) -> list[str]:
    """The words that belong to a command, up to a comment or to the prose after it."""
    try:
        words = shlex.split(rest.replace("#", " # "), comments=True) if rest.strip() else []
    except ValueError:  # an apostrophe of the prose
        words = rest.split()
    found = []
    for word in words:
        word = re.sub(r"^\[(?=[-a-z])(.*?)\]?$", r"\1", word)  # [output=DIR] may be left out
        word = word.removesuffix("]") if word.count("]") > word.count("[") else word
        word = word if alone else word.rstrip(".,;:")
        if word == "..." or _is_the_readers(word):
            continue
        if composed and not (word in _OPTIONS or _OVERRIDE.fullmatch(word)):
            break
        named = (not found and word in own) or (found and found[-1].startswith("-"))
        if not alone and not named and not re.fullmatch(r"-.*|[A-Z]+|\S*[/=]\S*", word):
            break
        found.append(word)
    return found


def _is_the_readers(word: str) -> bool:
    """key=value and callbacks.NAME=null stand for any override, data=mydata for what the reader has."""
    key, equals, value = word.partition("=")
    any_key = key == "key" or any(part.isupper() for part in key.split("."))
    return bool(equals) and (any_key or value.startswith(("my", "...", "<")))


def _alternatives(words: list[str]) -> list[tuple[str, ...]]:
    """a=b|c d=e as a=b d=e and a=c d=e."""
    choices = []
    for word in words:
        key, equals, value = word.partition("=")
        choices.append([f"{key}{equals}{one}" for one in value.split("|")] if equals else word.split("|"))
    return list(product(*choices))
