"""The data sets that can be named by data=NAME: who learns from them, and where they are to be had."""

from dataclasses import dataclass

from brainseg.config.choices import TASKS


@dataclass(frozen=True)
class DataSet:
    """A data set by its name in conf/data/.

    Attributes:
        made_by: The class that reads it, as `data._target_` names it.
        tasks: Whose training it has the truth for.
        holds: What is in its folder, in words.
        where_from: What to do for who has no such folder; nothing where none is needed.
    """

    made_by: str
    tasks: tuple[str, ...]
    holds: str = ""
    where_from: str = ""


DATA_SETS = {
    "kaggle": DataSet(
        "brainseg.data.KaggleSlices",
        ("classifier",),
        "pictures in a folder for each tumour type",
        "download masoudnickparvar/brain-tumor-mri-dataset from Kaggle and set data.root to its folder, "
        "or train on synthetic slices with data=phantom",
    ),
    "nfbs": DataSet(
        "brainseg.data.NFBSVolumes",
        ("skullstripper",),
        "scans with brain masks",
        "NFBS is at preprocessed-connectomes-project.org/NFB_skullstripped; set data.root to its folder, "
        "or train on synthetic heads with data=phantom",
    ),
    "brats": DataSet(
        "brainseg.data.BraTSVolumes",
        ("segmenter",),
        "scans with label maps of tumours",
        "BraTS is at synapse.org (MSD Task01 at medicaldecathlon.com); set data.root to its folder, "
        "or train on synthetic tumours with data=phantom",
    ),
    "lgg": DataSet(
        "brainseg.data.LGGVolumes",
        ("segmenter",),
        "TIFF pictures with masks of tumours",
        "LGG is mateuszbuda/lgg-mri-segmentation at Kaggle; set data.root to its folder kaggle_3m, "
        "or train on synthetic tumours with data=phantom",
    ),
    "volumes": DataSet(
        "brainseg.data.VolumesByType",
        ("volume_classifier",),
        "scans in a folder for each tumour type",
        "set data.root to a folder with one folder of scans for each tumour type (glioma, meningioma, "
        "notumor, pituitary), or train on synthetic tumours with data=types",
    ),
    "heads": DataSet("brainseg.data.PaintedHeads", ("skullstripper",)),
    "tumours": DataSet("brainseg.data.PaintedTumours", ("segmenter",)),
    "types": DataSet("brainseg.data.PaintedTypes", ("volume_classifier",)),
    "phantom": DataSet("brainseg.data.PhantomData", TASKS),
}


def name_of(target: str) -> str | None:
    """The name of the data set that a class reads."""
    return next((name for name, one in DATA_SETS.items() if one.made_by == target), None)


def names_for(task: str) -> list[str]:
    """The data sets that a model learns from."""
    return [name for name, one in DATA_SETS.items() if task in one.tasks]
