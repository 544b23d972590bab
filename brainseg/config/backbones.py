"""The names of timm's backbones, read from its source: importing timm loads torch, which takes seconds."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from brainseg.config.errors import ConfigError
from brainseg.config.meant import near_names

TIMM_NAMES = {"mobilenetv2": "mobilenetv2_100"}  # the student report's name, as timm has it
_REGISTERED = re.compile(r"@register_model\s+def (\w+)\(")
_QUOTED = re.compile(r"""['"]([\w.]+)['"]""")  # old names, which stand in tables of the source


def refuse_unknown_backbone(name: str) -> None:
    """Refuse a name that the installed timm does not know, without loading it.

    Nothing is refused where timm's source cannot be read, nor a name that stands in it as a text: timm itself
    knows what that is.

    Raises:
        ConfigError: The message names the backbones that are meant.
    """
    names, others = registered()
    base = TIMM_NAMES.get(name, name).partition(".")[0]  # after a dot: which of the pretrained weights
    if names and base not in names and base not in others:
        raise ConfigError(unknown_backbone(name, names))


def unknown_backbone(name: str, names: frozenset[str]) -> str:
    """The message for a backbone that is none of the names."""
    near = near_names(name, names | TIMM_NAMES.keys())
    mend = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() lists what there is"
    return f"backbone {name!r} is unknown to timm; {mend}"


@cache
def registered() -> tuple[frozenset[str], frozenset[str]]:
    """The names of `timm.list_models()`, and all other texts of its source; empty where there is none."""
    spec = find_spec("timm")
    if spec is None or spec.origin is None:
        return frozenset(), frozenset()
    files = sorted((Path(spec.origin).parent / "models").glob("*.py"))
    try:
        texts = [file.read_text(encoding="utf-8") for file in files]
    except (OSError, UnicodeDecodeError):
        return frozenset(), frozenset()
    return (
        frozenset(name for text in texts for name in _REGISTERED.findall(text)),
        frozenset(name for text in texts for name in _QUOTED.findall(text)),
    )
