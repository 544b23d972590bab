"""A cohort of synthetic patients on disk, in the layout of a real data set."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from joblib import Parallel, cpu_count, delayed

from brainseg.config.choices import PHANTOM_LAYOUTS, TUMOR_TYPES, Contrast
from brainseg.config.errors import ConfigError, DataError, ImageError
from brainseg.files.atomic import not_written
from brainseg.files.folders import new_folder, sweep
from brainseg.phantom.fields import random_stream
from brainseg.phantom.slices import SIDE_AT_1_MM, SliceFolder
from brainseg.phantom.subject import PhantomSubject, make_subject
from brainseg.phantom.writers import LAYOUTS, SLICE_HEAD, Layout, slice_grid

VERSION = 3  # raise it when the same arguments give other files
WORTH_PROCESSES = 4.0  # heads of 1 mm: about 20 seconds of work
MOST_MARGIN_MM = 30.0


def write_cohort(
    root: str | Path,
    *,
    layout: str,
    subjects: int,
    seed: int,
    spacing_mm: float = 1.0,
    types: Sequence[str] | None = None,
    contrast: Contrast = "realistic",
    slices_per_subject: int = 12,
    testing_share: float = 0.2,
    stripped_share: float = 0.25,
    margin_mm: float = 0.0,
    operated_share: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Write synthetic patients as a real data set has them, and return their ids in order.

    Tumour types take turns, in an order shuffled by the seed. A subject depends on the seed and its number
    alone, so a larger cohort begins with the same heads. The folder appears when all is written, or not at
    all.

    Args:
        root: The new folder; it may exist if it is empty.
        layout: brats, brats-post, msd, nfbs, kaggle or bids; `writers` says what each looks like.
        subjects: How many.
        seed: Decides everything that is drawn.
        spacing_mm: Voxel size; the field of view stays the layout's. A kaggle picture has 512 / spacing
            pixels a side.
        types: Tumour types to take turns. None: gliomas for those of BraTS and msd, all four for kaggle,
            bids and types; for nfbs half of the heads have a tumour of any type: the real NFBS has none, but
            a skull stripper must know them.
        contrast: "realistic", or "random": every tissue of any intensity.
        slices_per_subject: For kaggle.
        testing_share: For kaggle, the share of the subjects of each type whose slices are in Testing.
        stripped_share: For kaggle, the share of the subjects shown without skull; the real set has some.
        margin_mm: For all layouts of stripped scans: how far beyond the brain they are cut.
        operated_share: For brats-post, the share of the gliomas that are seen after surgery.
        progress: Called with the number of subjects written and of all, after each.

    Raises:
        DataError: `root` holds something already.
        ConfigError: An unknown layout or type, or a number that makes no sense.
    """
    _check(layout, subjects, types, spacing_mm, slices_per_subject, testing_share, stripped_share)
    _check_margin(layout, margin_mm)
    _check_operated(layout, operated_share)
    order = _in_turn(types or (LAYOUTS[layout].types if layout in LAYOUTS else TUMOR_TYPES), subjects, seed)
    by_slice = spacing_mm, slices_per_subject, testing_share, stripped_share  # kaggle alone
    plan = LAYOUTS.get(layout) or _slices(order, *by_slice)
    names = [plan.name(number) for number in range(subjects)]
    with _folder_for(Path(root)) as folder:
        seeds = [_subject_seed(seed, number) for number in range(subjects)]
        made = _made(plan, seeds, order, names, spacing_mm, contrast, _operated(order, operated_share))
        for number, (own, subject) in enumerate(zip(seeds, made, strict=True)):
            plan.write(folder, subject, own, margin_mm)
            if progress is not None:
                progress(number + 1, subjects)
        plan.finish(folder, list(zip(names, order, strict=True)))
    return names


def _made(
    plan: Layout,
    seeds: Sequence[int],
    order: Sequence[str],
    names: Sequence[str],
    spacing_mm: float,
    contrast: Contrast,
    operated: Sequence[bool],
) -> Iterator[PhantomSubject]:
    """The subjects one after the other, made on all cores where there are many."""
    calls = [
        delayed(make_subject)(
            own,
            tumor_type=tumor_type,
            grid=plan.grid(spacing_mm),
            sequences=plan.sequences(own),
            contrast=contrast,
            pose=plan.pose(own),
            operated=surgery,
            id=name,
        )
        for own, tumor_type, name, surgery in zip(seeds, order, names, operated, strict=True)
    ]
    # A process needs some seconds to begin: not worth it for a few heads, nor for small ones.
    processes = cpu_count() if len(calls) * spacing_mm**-3 >= WORTH_PROCESSES else 1
    subjects: Iterator[PhantomSubject] = Parallel(processes, return_as="generator")(calls)
    return subjects


def _in_turn(types: Sequence[str], subjects: int, seed: int) -> list[str]:
    """Each round holds every type once, in an order of its own, so that any beginning is balanced too."""
    order: list[str] = []
    for turn in range(-(-subjects // len(types))):
        shuffled = random_stream(seed, 60, turn).permutation(len(types))
        order += [types[int(i)] for i in shuffled]
    return order[:subjects]


def _operated(order: Sequence[str], share: float) -> list[bool]:
    """Which subjects were operated on: of the gliomas that share, in any beginning of the order too."""
    found, gliomas = [], 0
    for kind in order:
        gliomas += kind == "glioma"
        found.append(kind == "glioma" and int(gliomas * share) > int((gliomas - 1) * share))
    return found


def _subject_seed(seed: int, number: int) -> int:
    return int(random_stream(seed, 61, number).integers(2**62))


def _slices(
    order: Sequence[str], spacing_mm: float, per_subject: int, testing_share: float, stripped_share: float
) -> Layout:
    folder = SliceFolder(
        side=max(64, round(SIDE_AT_1_MM / spacing_mm)),
        per_subject=per_subject,
        testing=frozenset(_slice_subject(number) for number in _testing(order, testing_share)),
        stripped_share=stripped_share,
    )
    return Layout(
        types=TUMOR_TYPES,
        grid=slice_grid,
        pose=lambda seed: SLICE_HEAD,
        sequences=_slice_sequences,
        name=_slice_subject,
        write=folder.write,
        finish=folder.finish,
    )


def training_types(types: Sequence[str], subjects: int, seed: int, testing_share: float) -> dict[str, str]:
    """The subjects of a kaggle cohort whose slices are in Training, with their tumour types."""
    order = _in_turn(types, subjects, seed)
    testing = set(_testing(order, testing_share))
    return {_slice_subject(number): kind for number, kind in enumerate(order) if number not in testing}


def _slice_subject(number: int) -> str:
    return f"phantom_{number:04d}"


def _slice_sequences(seed: int) -> Sequence[str]:
    """T1 with contrast agent, and for some subjects T2 or FLAIR too."""
    return (("t1ce",), ("t1ce", "t2"), ("t1ce", "flair"))[int(random_stream(seed, 41).integers(3))]


def _testing(order: Sequence[str], share: float) -> list[int]:
    """Numbers of the subjects to test on: the last ones of each type, at least one of three."""
    chosen: list[int] = []
    for kind in sorted(set(order)):
        numbers = [i for i, other in enumerate(order) if other == kind]
        n = round(share * len(numbers))
        if share > 0 and len(numbers) >= 3:
            n = max(n, 1)
        chosen += numbers[len(numbers) - n :]
    return chosen


@contextmanager
def _folder_for(root: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `root` at the end; leftovers of killed processes are removed."""
    refused = DataError(
        f"{root}: exists and is not empty; a cohort needs a new folder, or remove this one first"
    )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise refused
    sweep(root.parent)
    try:
        with new_folder(root) as folder:
            yield folder
    except FileExistsError:  # another process was first
        raise refused from None
    except ImageError as error:  # of a file in a folder that nobody has asked for
        cause = error.__cause__
        explained = not_written(root, cause) if isinstance(cause, OSError) else None
        raise explained or error from cause


def _check(
    layout: str,
    subjects: int,
    types: Sequence[str] | None,
    spacing_mm: float,
    slices: int,
    testing_share: float,
    stripped_share: float,
) -> None:
    if layout not in PHANTOM_LAYOUTS:
        raise ConfigError(f"layout is {layout!r}; it must be one of {', '.join(PHANTOM_LAYOUTS)}")
    unknown = [kind for kind in types or () if kind not in TUMOR_TYPES]
    if unknown or (types is not None and not len(types)):
        named = repr(unknown[0]) if unknown else "empty"
        raise ConfigError(f"types is or has {named}; take some of {', '.join(TUMOR_TYPES)}, or None")
    if subjects < 1 or slices < 1:
        raise ConfigError(f"subjects is {subjects} and slices_per_subject {slices}; both must be at least 1")
    if not 0.3 <= spacing_mm <= 8:
        raise ConfigError(f"spacing_mm is {spacing_mm}; it must be between 0.3 and 8")
    if not 0 <= testing_share < 1:
        raise ConfigError(f"testing_share is {testing_share}; it must be at least 0 and below 1")
    if not 0 <= stripped_share <= 1:
        raise ConfigError(f"stripped_share is {stripped_share}; it must be from 0 to 1")


def _check_operated(layout: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ConfigError(f"operated_share is {share}; it must be from 0 to 1")
    if share and not (layout in LAYOUTS and LAYOUTS[layout].has_cavities):
        raise ConfigError(
            f"operated_share is {share}, but the labels of layout {layout} have no value for a resection "
            "cavity; take layout brats-post"
        )


def _check_margin(layout: str, margin_mm: float) -> None:
    if not 0 <= margin_mm <= MOST_MARGIN_MM:
        raise ConfigError(f"margin_mm is {margin_mm}; it must be from 0 to {MOST_MARGIN_MM:g}")
    if margin_mm and layout in ("nfbs", "bids"):
        raise ConfigError(
            f"margin_mm is {margin_mm}, but layout {layout} holds whole heads; it must be 0 there"
        )
