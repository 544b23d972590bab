"""A mistake in names and paths is answered before torch is loaded."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
MOST_S = 1.5  # of processor time, which other programs on the computer do not change
RUN = """
import runpy, sys
sys.argv = {argv!r}
try:
    if sys.argv[0].endswith('.py'):
        runpy.run_path(sys.argv[0], run_name='__main__')
    else:
        from brainseg.__main__ import main
        main()
finally:
    heavy = [name for name in ('torch', 'scipy', 'timm', 'matplotlib') if name in sys.modules]
    print('LOADED', *heavy)
"""


def answered(line: str, cwd: Path) -> str:
    """The line that a command ends with, with exit code 2; it was quick and loaded no library of numbers."""
    first, *rest = line.split()
    argv = [str(ROOT / first), *rest] if first.endswith(".py") else [first, *rest]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(argv=argv)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "BRAINSEG_DATA": str(cwd / "data")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2, done.stderr
    assert done.stdout.splitlines()[-1:] == ["LOADED"]
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < MOST_S
    (said,) = done.stderr.splitlines()
    return said


@pytest.fixture
def folder(tmp_path):
    """Small folders that look like each of the data sets; the files hold nothing."""
    for name in (
        *("brats/BraTS-1/BraTS-1_t1.nii.gz", "brats/BraTS-1/BraTS-1_seg.nii.gz"),
        *("nfbs/A1/A1_T1w.nii.gz", "nfbs/A1/A1_T1w_brainmask.nii.gz"),
        *("lgg/TCGA_1/TCGA_1_1.tif", "lgg/TCGA_1/TCGA_1_1_mask.tif"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for kind in ("glioma", "notumor"):
        (tmp_path / "kaggle" / "Training" / kind).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "kaggle" / "Training" / kind / "a.jpg")
    (tmp_path / "scan_T1w.nii.gz").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("train.py epochs=2", "error: epochs: unknown key 'epochs'; did you mean classifier.epochs?"),
        ("train.py classifier.backbone=mobilenet_v2", "did you mean mobilenetv2?"),
        ("train.py model=segmenter", "data/brats: no such folder; BraTS is at synapse.org"),
        ("train.py data=phantom start_from=a.ckpt", "error: a.ckpt: no such checkpoint; training writes"),
        ("train.py resume=nowhere", "error: nowhere: no such checkpoint; training writes"),
        ("train.py resume=nfbs", "error: nfbs is no run's folder: it has no .hydra/overrides.yaml"),
        (
            "train.py data.root=kaggle data.groups=a.csv",
            "error: data.groups=a.csv: no such file; give a table",
        ),
        (
            "train.py classifier.pretrained=true classifier.weights=a.pth data=phantom",
            "error: a.pth: no such file of weights",
        ),
        (
            "train.py -m data=phantom classifier.backbone=vgg16,resnett50",
            "resnet50s? (in the job classifier.backbone=resnett50; none",
        ),
        ("predict.py input=nowhere skullstripper=otsu", "error: nowhere: no such file or folder; check the"),
        ("predict.py input=. segmenter=a.ckpt", "error: a.ckpt: no such checkpoint; training writes"),
        ("predict.py input=. segmenter=nfbs", "error: nfbs holds no run with checkpoints/best.ckpt"),
        ("predict.py input=. classifier=nfbs", "error: nfbs is a folder; give the checkpoint in it"),
        (
            "predict.py input=. skullstripper=null classifier=null segmenter=null",
            "error: no model for any of the stages strip, classify, segment; give",
        ),
        ("brainseg audit data=kaggle data.root=nowhere", "error: nowhere: no such folder; download masoud"),
        ("brainseg evaluate a b", "error: a: no such file or folder; check the path"),
        ("brainseg verify a", "error: a: no such file or folder; check the path"),
        ("brainseg reproduce a", "error: a: no such file or folder; check the path"),
        ("brainseg bids a b", "error: a: no such file or folder; check the path"),
        ("brainseg view a", "error: a: no such file or folder; check the path"),
        ("brainseg study grid a", "error: a: no such file or folder; check the path"),
        ("brainseg study segmentation a", "error: a: no such file or folder; check the path"),
        ("brainseg predict inptu=a", "did you mean input?"),
    ],
)
def test_a_mistake_is_answered_at_once(folder, line, answer):
    assert answer in answered(line, folder)


@pytest.mark.parametrize(
    ("line", "holds", "mend"),
    [
        ("model=segmenter data.root=kaggle", "pictures in a folder", "model=classifier data=kaggle"),
        ("model=segmenter data.root=nfbs", "scans with brain masks", "model=skullstripper data=nfbs"),
        ("model=segmenter data.root=lgg", "TIFF pictures", "model=segmenter data=lgg"),
        ("model=segmenter data=lgg data.root=brats", "scans with label maps", "model=segmenter data=brats"),
        ("model=skullstripper data.root=brats", "scans with label maps", "model=segmenter data=brats"),
        ("data.root=brats", "scans with label maps", "model=segmenter data=brats"),
    ],
)
def test_data_of_another_model_are_named_with_the_model_that_learns_from_them(folder, line, holds, mend):
    said = answered(f"train.py {line}", folder)
    assert f": holds {holds}" in said
    assert f"; set {mend}, or data.root to a folder of these" in said


def test_a_data_set_without_the_truth_for_a_model_is_refused(folder):
    said = answered("train.py model=segmenter data=kaggle", folder)
    assert said == (
        "error: data=kaggle has no truth for model=segmenter; set model=classifier, or data=brats or "
        "data=lgg or data=tumours or data=phantom"
    )


@pytest.mark.parametrize("name", ["kaggle", "nfbs", "brats", "lgg"])
def test_a_folder_is_taken_for_what_it_is(folder, name):
    from brainseg.training.look import kinds_at

    assert kinds_at(folder / name) == [name]


def test_a_folder_that_may_be_either_is_refused_for_neither(tmp_path):
    from brainseg.training.look import kinds_at

    for name in ("a_T1w.nii.gz", "a_T1w_brainmask.nii.gz", "a_seg.nii.gz"):
        (tmp_path / name).touch()
    assert set(kinds_at(tmp_path)) == {"brats", "nfbs"}
    assert kinds_at(tmp_path / "nowhere") == []
