"""Names of sweeps and of their jobs: short, safe as names of folders, and the same each time."""

import hashlib
import re
from collections.abc import Iterable, Mapping

LONGEST = 100  # characters of a job's name; a file system takes 255, W&B 128
_UNSAFE = re.compile(r"[^\w.,+=-]", re.ASCII)  # in the name of a folder, or in a command line without quotes


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """The last part of each key, longer where two would be equal: lr for menu.optimizer.adamw.lr."""
    keys = sorted(set(keys))
    return {key: next((one for one in _tails(key) if _is_only(one, keys)), key) for key in keys}


def job_name(pairs: Mapping[str, str]) -> str:
    """The name of a job by its swept keys, in their order, and its values, as lr=0.001_seed=1.

    What is no safe character becomes "-". A name that this changes, or that is too long, ends with a hash of
    the values, so that no two jobs of a sweep share one.
    """
    short = short_keys(pairs)
    said = "_".join(f"{short[key]}={value.strip(_QUOTES)}" for key, value in sorted(pairs.items()))
    safe = _UNSAFE.sub("-", said)
    if safe == said and len(said) <= LONGEST:
        return said
    return f"{safe[: LONGEST - 9]}_{short_hash(said)}"


def sweep_name(task: str, keys: Iterable[str], digest: str) -> str:
    """The name of a sweep's folder, as classifier_lr_seed_1a2b3c4d."""
    short = _UNSAFE.sub("-", "_".join(short_keys(keys).values()))
    return f"{task}_{short[:60]}_{digest}" if short else f"{task}_{digest}"


def short_hash(text: str) -> str:
    """Eight hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


_QUOTES = "'\""


def _tails(key: str) -> Iterable[str]:
    """The ends of a key, the shortest first; a group such as data/shared is taken apart as well."""
    starts = [0, *(found.end() for found in re.finditer(r"[./@]", key))]
    return (key[start:] for start in reversed(starts))


def _is_only(tail: str, keys: Iterable[str]) -> bool:
    return sum(key == tail or re.search(rf"[./@]{re.escape(tail)}$", key) is not None for key in keys) == 1
