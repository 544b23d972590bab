"""Every key of the configuration as Markdown: type, bounds, default and meaning, and the choices that it has.

Nothing is written here twice. Types, meanings and bounds stand beside the fields of the classes in this
package, the defaults in conf/. Data sets, callbacks, loggers and menus have no such class: the comments of
their YAML explain them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from enum import Enum
from inspect import getdoc
from pathlib import Path
from typing import Any, get_args, get_type_hints

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from brainseg.config.choices import TASKS
from brainseg.config.described import bounds, comments, type_words, yaml_comments, yaml_head
from brainseg.config.folder import conf_dir
from brainseg.config.gates import GatesConfig
from brainseg.config.prediction import PredictConfig
from brainseg.config.store import register_schemas
from brainseg.config.training import TrainConfig

GROUPS = (
    *("model", "data", "trainer", "preset", "experiment", "logger", "pipeline", "gates"),
    *("hydra/sweeper", "hydra/launcher"),
)
Values = dict[str, Any]


def config_reference() -> str:
    """All keys in Markdown, with headings of levels 2 and 3."""
    parts = [*_training(), *_prediction(), *_gates(), *_data(), *_parts(), *_options(), *_choices()]
    return "\n\n".join(parts) + "\n"


def _training() -> Iterator[str]:
    trained = {task: _composed("train", f"model={task}") for task in TASKS}
    yield "## Training: `train.py`"
    yield "The defaults are those of `conf/train.yaml` and `conf/model/`, `conf/trainer/`."
    yield from _keys(TrainConfig, trained["classifier"], leave_out=TASKS)
    sections = _sections(TrainConfig)
    for task in TASKS:
        yield from _section(task, sections[task], trained[task][task])


def _prediction() -> Iterator[str]:
    yield "## Prediction: `predict.py`"
    yield "The defaults are those of `conf/predict.yaml` and `conf/pipeline/`."
    yield from _keys(PredictConfig, _composed("predict"), leave_out=("gates",))


def _section(name: str, schema: type, values: Values) -> Iterator[str]:
    yield f"### `{name}`"
    yield getdoc(schema) or ""
    yield from _keys(schema, values, prefix=f"{name}.")


def _keys(schema: type, values: Values, *, prefix: str = "", leave_out: Sequence[str] = ()) -> Iterator[str]:
    """A table of the keys that hold a value, then each section below a heading of its own."""
    said, limits, sections = comments(schema), bounds(schema), _sections(schema)
    rows = [
        [f"`{prefix}{name}`", _kind(kind, limits.get(name, [])), _default(values[name]), said.get(name, "")]
        for name, kind in get_type_hints(schema).items()
        if name not in sections and not name.startswith("_") and not isinstance(values[name], dict)
    ]
    yield _table(("Key", "Type", "Default", "Meaning"), rows)
    for name, section in sections.items():
        if name not in leave_out:
            yield from _section(prefix + name, section, values[name])


def _sections(schema: type) -> dict[str, type]:
    """The fields of a class that are classes of fields themselves."""
    hints = {name: [kind, *get_args(kind)] for name, kind in get_type_hints(schema).items()}
    return {
        name: one
        for name, kinds in hints.items()
        for one in kinds
        if isinstance(one, type) and is_dataclass(one)
    }


def _kind(annotation: Any, limits: list[str]) -> str:
    """The type and the bounds of a key; names of a closed list link to what they mean."""
    words = type_words(annotation)
    for choice in _enums(annotation):
        return words.replace("one of ", f"[one of](#{_title(choice).lower().replace(' ', '-')}) ")
    return ", ".join([words, *limits])


def _gates() -> Iterator[str]:
    """One table, as each gate has two ranges, or two for each sequence."""
    values = _composed("predict")["gates"]
    said = comments(GatesConfig)
    yield "## Gates: `predict.py`"
    yield (
        "A gate compares a measure with two ranges `[low, high]`. Outside `review` a person should look at "
        "the result; outside `fail` the subject stops. `null` leaves an end, or a range, open, as in "
        "`gates.brain_ml.review=[800,null]`. `gates=none` judges nothing."
    )
    rows = [
        [f"`gates.{key}`", _default(ends["review"]), _default(ends["fail"]), said[key.partition(".")[0]]]
        for key, ends in _ranges(values)
    ]
    yield _table(("Key", "`review`", "`fail`", "Measure"), rows)
    schema = _sections(GatesConfig)["contradictions"]
    yield from _section("gates.contradictions", schema, values["contradictions"])


def _ranges(values: Values, prefix: str = "") -> Iterator[tuple[str, Values]]:
    for name, inner in values.items():
        if "review" in inner:
            yield prefix + name, inner
        elif name != "contradictions":
            yield from _ranges(inner, f"{name}.")


def _data() -> Iterator[str]:
    yield "## Data sets: `train.py`"
    yield "Each model names its own; `data=NAME` takes another."
    shared = sorted(
        [*conf_dir().glob("data_*.yaml"), conf_dir() / "choose.yaml"]
    )  # what the data sets begin with
    for file in _files("data"):
        values = _composed("train", f"data={file.stem}")["data"]
        yield f"### `data={file.stem}`"
        yield yaml_head(file.read_text())
        yield _explained("data", values, *shared, file)


def _parts() -> Iterator[str]:
    values = _composed("train", "logger=wandb")
    yield "## Callbacks, loggers and menus: `train.py`"
    yield (
        "`callbacks.NAME=null` leaves a callback out, `logger=wandb` adds the logger wandb. `TASK.loss`, "
        "`TASK.optimizer` and `TASK.scheduler` name an entry of a menu, which `menu.KIND.ENTRY.KEY` tunes."
    )
    for name in ("callbacks", "logger"):
        yield f"### `{name}`"
        yield _explained(name, values[name], *_files(name))
    for file in _files("menu"):
        yield f"### `menu.{file.stem}`"
        yield yaml_head(file.read_text())
        yield _explained("menu", {file.stem: values["menu"][file.stem]}, file)


def _explained(key: str, values: Values, *files: Path) -> str:
    """A table of values that have no class; the comments of the YAML files say what they mean."""
    said = {name: text for file in files for name, text in yaml_comments(file.read_text()).items()}
    rows = [
        [f"`{key}.{name}`", _default(value), said.get(name) or said.get(name.removesuffix("._target_"), "")]
        for name, value in _flat(values)
    ]
    return _table(("Key", "Default", "Meaning"), rows)


def _flat(values: Values, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _options() -> Iterator[str]:
    yield "## Groups: `GROUP=NAME`"
    rows = [
        [f"`{group}={file.stem}`", yaml_head(file.read_text())] for group in GROUPS for file in _files(group)
    ]
    yield _table(("Option", "What it sets"), rows)


def _choices() -> Iterator[str]:
    yield "## Choices"
    yield "The closed lists of names that the keys above take."
    for choice in sorted(set(_used(TrainConfig)) | set(_used(PredictConfig)), key=_title):
        said = comments(choice)
        yield f"### {_title(choice)}"
        yield _table(("Name", "Meaning"), [[f"`{one.name}`", said.get(one.name, "")] for one in choice])


def _used(schema: type) -> Iterator[type[Enum]]:
    for kind in get_type_hints(schema).values():
        yield from _enums(kind)
    for section in _sections(schema).values():
        yield from _used(section)


def _enums(annotation: Any) -> list[type[Enum]]:
    kinds = [annotation, *get_args(annotation)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum)]


def _title(choice: type[Enum]) -> str:
    return f"Names of {choice.__name__}"


def _files(group: str) -> list[Path]:
    return sorted((conf_dir() / group).glob("*.yaml"))


def _composed(name: str, *overrides: str) -> Values:
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        composed = compose(name, list(overrides))
    values: Values = OmegaConf.to_container(composed, enum_to_str=True)  # type: ignore[assignment]
    return values


def _default(value: Any) -> str:
    """As one would write it on the command line."""
    if value == "???":
        return "to be given"
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(heads: Sequence[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
