"""Every command and override that the documents, the YAML and the code show is one that would be accepted."""

import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainseg.commands.cli import app
from brainseg.config import UserError, check, check_predict, conf_dir, explain, register_schemas
from brainseg.config.arguments import quoted_paths

from .documented import Shown, in_markdown, in_python, in_yaml, shown_in

ROOT = Path(__file__).resolve().parents[2]
GROUP = typer.main.get_command(app)
TOOLS = {name: tuple(getattr(command, "commands", ())) for name, command in GROUP.commands.items()}
UsageError = typer.BadParameter.__base__  # click's, wherever this version of typer has it
OPTION_WORDS = ("-m", "--multirun", "--help", "--resolve", "--cfg", "job")
TASKS = ("classifier", "skullstripper", "segmenter", "volume_classifier")


def files() -> list[Path]:
    patterns = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "conf/**/*.yaml", "brainseg/**/*.py", "*.py")
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


def everything_shown() -> list[Shown]:
    return [one for path in files() for one in shown_in(path, str(path.relative_to(ROOT)), TOOLS)]


@cache
def refusal(program: str, arguments: tuple[str, ...], *, whole: bool) -> str | None:
    """Why a command is refused, in one line; None if it is accepted."""
    try:
        if program in ("train", "predict"):
            _compose_command(program, arguments, whole=whole)
        elif program:
            _parse_tool(program, list(arguments))
        else:
            return _refused_everywhere(arguments)
    except (HydraException, OmegaConfBaseException) as error:
        return explain(error)
    except UserError as error:
        return str(error)
    except UsageError as error:
        said = error.format_message()
        return said if whole or not said.startswith("Missing") else None
    return None


def faults(shown: list[Shown]) -> list[str]:
    """A line for each that is refused and not shown for that, and the other way round."""
    answers = [(one, refusal(one.program, one.arguments, whole=one.whole)) for one in shown]
    return [
        f"{one.where}: {' '.join([one.program, *one.arguments])}: {said or 'is accepted'}"
        for one, said in answers
        if (said is not None) != one.refused
    ]


def _compose_command(program: str, arguments: tuple[str, ...], *, whole: bool) -> None:
    overrides = _parsed(arguments)
    for job in _jobs(overrides):
        cfg = _composed(program, job)
        if program == "train":
            check(cfg)
        elif whole or not OmegaConf.is_missing(cfg, "input"):
            check_predict(OmegaConf.merge(cfg, {"output": "OUT"}))  # else a folder that Hydra makes


def _parsed(arguments: tuple[str, ...]) -> list[Override]:
    given = [one for one in arguments if one not in OPTION_WORDS]
    return OverridesParser.create().parse_overrides(quoted_paths(given))


def _jobs(overrides: list[Override]) -> Iterator[list[str]]:
    """The jobs of a sweep, so many that each value is in one of them."""
    values = [
        [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [one.input_line]
        for one in overrides
    ]
    for job in range(max(map(len, values), default=1)):
        yield [several[job % len(several)] for several in values]


def _composed(program: str, overrides: list[str]) -> DictConfig:
    """As Hydra composes: the groups first, whose result is kept for the next command, then the values."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    groups = [one for one in parsed if (conf_dir() / one.key_or_group).is_dir()]
    chosen = [one.input_line for one in groups if not str(one.value()).isupper()]  # data=NAME is any of them
    cfg = _of_groups(program, tuple(chosen)).copy()
    values = [one for one in parsed if one not in groups and not one.key_or_group.startswith("hydra.")]
    ConfigLoaderImpl._apply_overrides_to_config(values, cfg)
    return cfg


@cache
def _of_groups(program: str, groups: tuple[str, ...]) -> DictConfig:
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return compose(program, list(groups))


def _refused_everywhere(overrides: tuple[str, ...]) -> str | None:
    """Overrides without a command are right if some model's training, or prediction, knows their keys."""
    parsed = _parsed(overrides)
    keys = [one.key_or_group for one in parsed]
    if not any("." in key or (conf_dir() / key).is_dir() or key in _top_level() for key in keys):
        return None  # no key of ours: a variable, a parameter of a function
    refusals = []
    for program, groups in _contexts(keys):
        try:
            for job in _jobs(parsed):
                _composed(program, [*groups, *job])
            return None
        except (HydraException, OmegaConfBaseException) as error:
            refusals.append(explain(error))
    return refusals[0]


def _contexts(keys: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Where the keys may be meant: the training of a model, that which they name, or a prediction."""
    named = [task for task in TASKS if any(key.startswith(f"{task}.") for key in keys)]
    data = [file.stem for file in (conf_dir() / "data").glob("*.yaml")]
    others = data if any(key.startswith("data.") for key in keys) and "data" not in keys else []
    for task in named or TASKS:
        model = [] if {"model", "experiment"} & set(keys) else [f"model={task}"]
        yield "train", [*model, *([] if "logger" in keys else ["logger=wandb"])]  # which has all keys of csv
        yield from (("train", [*model, f"data={other}"]) for other in others)
    yield "predict", []


def _top_level() -> set[str]:
    return {str(key) for program in ("train", "predict") for key in _of_groups(program, ())}


def _parse_tool(name: str, arguments: list[str]) -> None:
    """Parse a subcommand as the command line does, without running it. A name alone only has to exist."""
    command, context, words = GROUP, GROUP.make_context("brainseg", [name, *arguments]), [name, *arguments]
    while words and hasattr(command, "commands"):
        _, command, words = command.resolve_command(context, words)
    if not words or words == ["--help"]:
        return
    command.make_context(command.name, words, parent=context)
    if name == "audit":
        _compose_command("train", tuple(one for one in words if "=" in one), whole=True)


@pytest.fixture(scope="module")
def everything() -> list[Shown]:
    return everything_shown()


def test_what_is_shown_would_be_accepted_or_is_shown_as_refused(everything):
    assert faults(everything) == []


def test_all_kinds_of_commands_are_found(everything):
    programs = {one.program for one in everything}
    assert {"", "train", "predict", "audit", "evaluate", "verify", "phantom"} <= programs
    assert {Path(one.where.rpartition(":")[0]).suffix for one in everything} == {".md", ".yaml", ".py"}
    assert any(one.refused for one in everything)
    assert len({(one.program, one.arguments) for one in everything}) > 100


MARKDOWN = """\
Text with `segmenter.epochs=3`, `data.heads=9`, `logger.wandb.project=mine`, `segmenter.epohcs=3`.

    $ python train.py classifier.backbnoe=vgg16
    error: classifier.backbnoe: unknown key
    $ python train.py classifier.epochs=0

```bash
brainseg predict input=DIR segmenter=A.ckpt|B.ckpt \\
    [windows.overlap=0.25]           # a comment
brainseg evaluate TRUTH GUESS --tasks segment
python train.py model=segmenter data=mydata key=value ...
```
The last word is `brainseg verify`, not `brainseg verfy`, `loss=dice` or `OMP_NUM_THREADS=1`.
"""


def test_a_wrong_command_is_told_with_its_line():
    shown = [Shown(f"a.md:{line}", *rest) for line, *rest in in_markdown(MARKDOWN, TOOLS)]
    assert [one.split(": ")[0] for one in faults(shown)] == [
        "a.md:5", "a.md:8", "a.md:8", "a.md:10", "a.md:1", "a.md:13"
    ]  # fmt: skip
    told = "\n".join(faults(shown))
    assert "a.md:5: train classifier.epochs=0: classifier.epochs must be at least 1, got 0" in told
    assert "segmenter=A.ckpt windows.overlap=0.25: windows.overlap: unknown key 'windows'; did you" in told
    assert "a.md:10: evaluate TRUTH GUESS --tasks segment: No such option: --tasks" in told
    assert "segmenter.epohcs: unknown key 'epohcs'; did you mean segmenter.epochs?" in told


def test_comments_of_yaml_and_texts_of_python_are_read_too():
    yaml = "# Tune it with menu.loss.dice_focal.gama=3. Then brainseg report grid DIR.\na: 1  # or seed=x.y\n"
    python = "'''Go on.\n\nSay `python train.py sed=1`, or brainseg phantom DIR --layot bids.\n'''\n"
    shown = [Shown(f"a.yaml:{line}", *rest) for line, *rest in in_yaml(yaml, TOOLS)]
    shown += [Shown(f"a.py:{line}", *rest) for line, *rest in in_python(python, TOOLS)]
    assert [(one.where, one.program, one.arguments) for one in shown] == [
        ("a.yaml:1", "report", ("grid", "DIR")),
        ("a.yaml:1", "", ("menu.loss.dice_focal.gama=3",)),
        ("a.py:3", "train", ("sed=1",)),
        ("a.py:3", "phantom", ("DIR", "--layot", "bids")),
    ]
    assert [one.split(": ")[0] for one in faults(shown)] == ["a.yaml:1", "a.py:3", "a.py:3"]


def test_make_models_trains_each_from_its_experiment_and_packs_it():
    make = ["make", "-n", "models", "KAGGLE=.", "KAGGLE_GROUPS=subjects.csv"]
    printed = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [line.partition(" && ")[2] for line in printed.splitlines() if "train.py" in line]
    commands = [shlex.split(line) for line in lines]
    assert len(commands) == 3
    for words in commands:
        train, pack = (words[: words.index("&&")], words[words.index("&&") + 1 :])
        assert refusal("train", tuple(train[2:]), whole=True) is None
        assert refusal("pack", tuple(pack[2 : pack.index("&&")]), whole=True) is None
