"""Checks of a checkpoint's content before it is used: anyone may have written the file.

Each function returns what is wrong, in words that follow "which", or None.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from brainseg.files.plain import excess_of
from brainseg.images.labels import CONVENTIONS, regions_with
from brainseg.inference import Cleaning
from brainseg.preprocess.landmarks import PERCENTILES

_PLAIN = (bool, int, float, str, type(None))
_MOST, _MOST_SETTINGS = 1_000_000, 10_000  # values; 84 cleaning rules have a score of each validation scan
_LONGEST, _LARGEST = 10_000, 2**63  # characters of a text, and whole numbers
_RULE = {"least_part_ml": (int, float), "fill": (bool,), "least_enhancing_ml": (int, float)}


def structure_fault(stored: Mapping[str, Any]) -> str | None:
    """What is wrong with the whole content: a part is missing, or is no plain values within limits."""
    about, settings = stored["brainseg"], stored.get("hyper_parameters")
    if not isinstance(settings, dict) or not isinstance(settings.get("config"), dict):
        return "has no 'hyper_parameters' with the task's 'config'"
    if type(settings["config"].get("epochs")) is not int:
        return "does not say in its config of how many epochs it is"
    if not isinstance(stored.get("state_dict"), dict):
        return "has no weights under 'state_dict'"
    if not isinstance(about.get("run"), dict):
        return "has no record of its training under 'run'"
    if not isinstance(about.get("fitted", {}), dict):
        return "has no named values under 'fitted'"
    for name, part, most in (("brainseg", about, _MOST), ("hyper_parameters", settings, _MOST_SETTINGS)):
        if fault := _plain_fault(part, most):
            return f"has no plain values under '{name}': {fault}"
    return None


def record_fault(run: Mapping[str, Any]) -> str | None:
    """What is wrong with the record of its training, or of a run that it started from."""
    facts, data, before = run.get("facts", {}), run.get("data", {}), run.get("started_from")
    if not isinstance(facts, dict) or not isinstance(data, dict) or not isinstance(before, dict | None):
        return "has a record of its training without named facts and data"
    if (name := facts.get("label_convention")) is not None and name not in list(CONVENTIONS):
        return f"learnt from labels of the convention {_short(name)}, none of {', '.join(CONVENTIONS)}"
    if (landmarks := facts.get("landmarks")) is not None and not (
        _are_numbers(landmarks, len(PERCENTILES)) and list(landmarks) == sorted(landmarks)
    ):
        return f"has landmarks that are not {len(PERCENTILES)} rising numbers"
    for name in ("train_slices", "train_subjects"):
        if type(facts.get(name)) not in (int, type(None)):
            return f"has a record with {name}={_short(facts[name])}, which is no number of them"
    return record_fault(before) if before else None


def fitted_fault(task: str, fitted: Mapping[str, Any], *, cavity: bool = False) -> str | None:
    """What is wrong with the values that were found on the validation part; none at all is no fault.

    Args:
        task: The model's.
        fitted: The values.
        cavity: Whether a segmenter's regions are with the resection cavity.
    """
    if not fitted or task == "skullstripper":
        return None
    if task == "segmenter":
        return _segmenter_fault(fitted, list(regions_with(cavity=cavity)))
    if not _is_positive(fitted.get("temperature", 1.0)):
        return f"has the temperature {_short(fitted['temperature'])}, which is no number above 0"
    return None


def weights_fault(stored: Mapping[str, Any], wanted: Mapping[str, torch.Tensor]) -> str | None:
    """What is wrong with the network's weights, beside those of the network that its config describes.

    Shapes come first: a tensor that says it is large needs no memory until something is done with it.
    """
    if missing := next((name for name in wanted if name not in stored), None):
        return f"lacks the weights {missing}"
    if strange := next((name for name in stored if name not in wanted), None):
        return f"has the weights {_short(strange)}, which its network has not"
    for name, tensor in stored.items():
        if fault := _tensor_fault(tensor, wanted[name]):
            return f"has weights {name} that {fault}"
    if _shared(stored.values()):
        return "has weights that share their memory"
    for name, tensor in stored.items():
        if not torch.isfinite(tensor).all():
            return f"has weights {name} that are not finite: its training went wrong"
    return None


def _plain_fault(value: Any, most: int) -> str | None:
    return excess_of(value, most) or next(_strange(value), None)


def _strange(value: Any) -> Iterator[str]:
    """All that is no plain value; the recursion ends, as `excess_of` has counted the levels."""
    if isinstance(value, dict):
        yield from (f"the name {_short(name)} is no text" for name in value if not isinstance(name, str))
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _strange(inner)
    elif not isinstance(value, _PLAIN):
        yield f"there is a {type(value).__name__}"
    elif isinstance(value, str) and len(value) > _LONGEST:
        yield f"a text has more than {_LONGEST} characters"
    elif isinstance(value, int) and abs(value) > _LARGEST:
        yield f"a number has more than {len(str(_LARGEST))} digits"


def _segmenter_fault(fitted: Mapping[str, Any], regions: list[str]) -> str | None:
    if not all(map(_is_positive, _by_region(fitted.get("temperatures"), regions))):
        return "has no temperature above 0 for each region"
    if not all(_are_numbers(pair, 2) for pair in _by_region(fitted.get("calibration_error"), regions)):
        return "has no two calibration errors for each region"
    if type(fitted.get("validation_scans")) is not int or fitted["validation_scans"] < 1:
        return "does not say how many scans validated it"
    rules = fitted.get("cleaning_scores")
    if not _is_rule(fitted.get("cleaning")) or not isinstance(rules, list) or not all(map(_is_rule, rules)):
        return "has cleaning rules that are none"
    counts = {len(row["scores"]) if _are_numbers(row.get("scores")) else -1 for row in rules}
    nothing = any(Cleaning(**{name: row[name] for name in _RULE}) == Cleaning() for row in rules)
    if rules and (not nothing or len(counts) > 1 or min(counts) < 1):
        return "has cleaning rules without a score of each for the same scans"
    subsets = fitted.get("subsets", {})
    if not isinstance(subsets, dict) or not all(
        _are_numbers(_by_region(own, regions)) for own in subsets.values()
    ):
        return "has subsets without a score for each region"
    return None


def _by_region(values: Any, regions: list[str]) -> list[Any]:
    """The value of each region; [None] where there are others."""
    return list(values.values()) if isinstance(values, dict) and set(values) == set(regions) else [None]


def _is_rule(row: Any) -> bool:
    return isinstance(row, dict) and all(
        type(row.get(name)) in kinds and 0 <= row[name] < math.inf for name, kinds in _RULE.items()
    )


def _are_numbers(values: Any, n: int | None = None) -> bool:
    return (
        isinstance(values, list | tuple)
        and n in (None, len(values))
        and all(type(one) in (int, float) and math.isfinite(one) for one in values)
    )


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _tensor_fault(tensor: Any, wanted: torch.Tensor) -> str | None:
    if not isinstance(tensor, torch.Tensor):
        return f"are a {type(tensor).__name__}"
    if tensor.shape != wanted.shape:
        return f"have the shape {_short(tuple(tensor.shape))}, not {tuple(wanted.shape)}"
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.is_quantized:
        return "are no plain array"
    if tensor.is_complex() or tensor.is_floating_point() != wanted.is_floating_point():
        return f"are {tensor.dtype}, not {wanted.dtype}"
    return None


def _shared(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether some say that they hold more than twice what is there; a weight may be tied to another."""
    said: dict[int, int] = {}
    there: dict[int, int] = {}
    for one in tensors:
        memory = one.untyped_storage()
        there[memory.data_ptr()] = memory.nbytes()
        said[memory.data_ptr()] = said.get(memory.data_ptr(), 0) + one.numel() * one.element_size()
    return any(said[place] > 2 * there[place] for place in said)


def _short(value: Any) -> str:
    said = " ".join(str(value)[:1000].split())
    return said if len(said) <= 60 else f"{said[:57]}..."
