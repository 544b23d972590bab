"""Which key, or name, was meant by one that is not there: by its words, its other names, its letters."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brainseg.config.choices import TASKS
from brainseg.config.folder import conf_dir

# Words that other programs use for one thing; ours are among them. Case, "_" and "-" do not count.
SYNONYMS = tuple(
    frozenset(line.split())
    for line in """
    epochs nepochs numepochs maxepochs niter iterations
    backbone net network arch architecture encoder modelname
    lr learningrate baselr initlr initiallr rate
    size imagesize imgsize inputsize imsize resolution patchsize patch roi roisize cropsize
    spacingmm spacing voxelsize resolution pixdim
    batchsize batch bs trainbatchsize
    workers numworkers nworkers njobs
    root dataroot datadir datapath datafolder dataset datasetpath inputdir path dir
    data dataset
    devices gpus gpu numgpus ngpus gpuids
    accelerator device
    precision amp fp16 bf16 mixedprecision
    strategy distributed ddp
    gradientclipval gradclip clip clipgrad maxnorm
    accumulategradbatches gradaccum gradientaccumulation accumulation
    weightdecay wd l2
    optimizer optim opt optimiser
    scheduler lrscheduler schedule
    loss criterion lossfn lossfunction
    folds kfold nfolds nsplits cv
    valshare valsplit validationsplit valfraction valsize valratio
    testshare testsplit testfraction testsize testratio
    seed randomseed randomstate rngseed
    modalities sequences modality channels
    classes labels numclasses nclasses classnames
    augment augmentation aug transforms
    normalise normalize normalization
    dropout dropoutrate droprate
    ema modelema
    monitor metric
    startfrom checkpoint ckpt ckptpath finetune finetunefrom
    resume resumefrom continue
    overwrite force
    output out outdir outputdir outputs saveto results
    input images image scan scans inputdir inputfolder
    overlap swoverlap
    flips tta
    maxtime timelimit
    earlystopping patience
    """.strip().splitlines()
)
NEAR = 0.7  # of difflib's ratio, from which letters are alike
_AS_SYNONYM, _AS_LETTERS = 0.95, 0.9  # beside 1 for the same word
_SAID = 3  # suggestions at most


def plain_word(name: str) -> str:
    """A name without what is written in different ways: its case, "_", "-" and spaces."""
    return re.sub(r"[-_ ]", "", name).lower()


def near_names(name: str, names: Iterable[str], n: int = _SAID) -> list[str]:
    """The names most like one that is none of them, best first; one that differs in "_" stands alone."""
    known = sorted(names)
    same = [one for one in known if plain_word(one) == plain_word(name)]
    return same[:n] or difflib.get_close_matches(name, known, n=n)


def meant_keys(given: str, config: DictConfig, beside: Sequence[str] = ()) -> list[str]:
    """The keys of a composed config that may be meant by one that it lacks, the likeliest first.

    Args:
        given: As typed: lr, classfier.epochs.
        config: The config, or any node of it.
        beside: The other settings of the command line, key=value, which may not be in the config yet.

    Returns:
        Keys in full, those of equal likelihood only. One that takes effect with another choice only is
        followed by that: "menu.loss.dice_focal.gamma with segmenter.loss=dice_focal".
    """
    values = OmegaConf.to_container(config._get_root(), resolve=False, enum_to_str=True)
    assert isinstance(values, dict)
    hydras = values.pop("hydra", None)
    if given.startswith("hydra."):
        values = {"hydra": hydras}
    _set_all(values, beside)
    ranked: dict[tuple[float, float], list[str]] = {}
    for key in [*_keys(values), *_groups()]:
        if key != given and (closeness := _closeness(given, key)):
            ranked.setdefault((closeness, _fits_there(given, key, values)), []).append(key)
    best = list(dict.fromkeys(ranked[max(ranked)])) if ranked else _elsewhere(given)
    said = [key + _condition(key, values) for key in best]
    return said[:1] if " with " in "".join(said) else said[:_SAID]


def _set_all(values: dict[Any, Any], settings: Iterable[str]) -> None:
    """Put settings into the values that have their keys."""
    for setting in settings:
        key, equals, value = setting.partition("=")
        *parents, name = key.split(".")
        inner: Any = values
        for parent in parents:
            inner = inner.get(parent) if isinstance(inner, dict) else None
        if equals and isinstance(inner, dict) and isinstance(inner.get(name), str):
            inner[name] = value


def _closeness(given: str, key: str) -> float:
    """How alike the last parts are, 1 for the same word; 0 where they have nothing in common."""
    one, other = (plain_word(name.rpartition(".")[2]) for name in (given, key))
    if one == other:
        return 1.0
    if any(one in words and other in words for words in SYNONYMS):
        return _AS_SYNONYM
    swapped = sorted(one) == sorted(other)
    ratio = 1.0 if swapped else difflib.SequenceMatcher(None, one, other).ratio()
    return _AS_LETTERS * round(ratio, 1) if ratio >= NEAR else 0.0


def _fits_there(given: str, key: str, values: Mapping[Any, Any]) -> float:
    """Which of two keys is likelier whose last parts are as close: the one with the parents that were typed.

    Then a choice that was made comes before one that was not, the section of the task before all others.
    """
    typed, real = (name.rpartition(".")[0] for name in (given, key))
    alike = difflib.SequenceMatcher(None, typed, real).ratio() if typed else 0.0
    section = key.partition(".")[0]
    order = [values.get("task"), key, "data", "trainer", "menu"]  # a key without a section is one itself
    place = order.index(section) if section in order else len(order)
    return 10 * (alike if alike >= NEAR else 0) - place - 100 * bool(_condition(key, values))


def _keys(values: Mapping[Any, Any], within: str = "") -> Iterator[str]:
    """All keys of a config in full, those of sections too."""
    for name, value in values.items():
        if not str(name).startswith("_"):
            yield f"{within}{name}"
            if isinstance(value, dict):
                yield from _keys(value, f"{within}{name}.")


def _condition(key: str, values: Mapping[Any, Any]) -> str:
    """What has to be chosen for a key of a menu to be used; nothing where it is chosen, or for other keys."""
    menu, _, rest = key.partition(".")
    kind, _, rest = rest.partition(".")
    name, task = rest.partition(".")[0], values.get("task")
    if menu != "menu" or not name or task not in TASKS or not isinstance(values.get(task), dict):
        return ""
    if kind not in values[task]:
        return " with preset=keras" if kind == "keras" else ""
    return "" if values[task][kind] == name else f" with {task}.{kind}={name}"


@cache
def _groups() -> tuple[str, ...]:
    """What is chosen by the name of a file, as model=segmenter."""
    return tuple(sorted(path.name for path in conf_dir().iterdir() if path.is_dir() and path.name != "menu"))


def _elsewhere(given: str) -> list[str]:
    """The same key in an option that is not chosen: data.subjects with data=phantom."""
    group, _, rest = given.partition(".")
    if group not in _groups() or not rest:
        return []
    found = []
    for path in sorted((conf_dir() / group).glob("*.yaml")):
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        keys = list(_keys(values)) if isinstance(values, dict) else []
        found += [f"{group}.{key} with {group}={path.stem}" for key in near_names(rest, keys, n=1)]
    return found
