"""Whatever lies where results go: nothing that predict.py did not write is ever removed or overwritten."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import brainseg
from brainseg.commands import demo
from brainseg.config.errors import DataError
from brainseg.files import atomic as files
from brainseg.files import folders
from brainseg.images.layouts import Subject, find_subjects
from brainseg.prediction import outputs
from brainseg.prediction.run import run
from brainseg.results.names import RESULT
from brainseg.results.parts import Judgement, Status
from brainseg.results.places import refuse_unfit_ids
from brainseg.results.read import read_result
from brainseg.results.replacing import known_files, recover, replacement
from brainseg.results.result import Result
from brainseg.results.sums import SUMS
from brainseg.results.verify import changed_files, changes

MASK = "A_brain_mask.nii.gz"
RMTREE = {"files/folders.py", "data/cache.py", "phantom/cohort.py"}  # of temporary folders that they made


@pytest.fixture
def scans(coarse_heads, tmp_path) -> Path:
    """D/A/A_t1.nii.gz and D/B/B_t1.nii.gz, as a user has them."""
    for name, subject in (("A", "sub-001"), ("B", "sub-002")):
        folder = tmp_path / "D" / name
        folder.mkdir(parents=True)
        shutil.copy(coarse_heads / subject / "anat" / f"{subject}_T1w.nii.gz", folder / f"{name}_t1.nii.gz")
    return tmp_path / "D"


@pytest.fixture
def result(scans, predict_options, tmp_path) -> Path:
    """Of A, in out/A."""
    assert run(predict_options(scans / "A")) == 0
    return tmp_path / "out" / "A"


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("overwrite", ["true", "false"])
@pytest.mark.parametrize(
    ("source", "output"),
    [
        (".", "."),  # the input itself
        (".", "A"),  # a subject's folder
        ("A", "."),  # the input's parent
        ("A/A_t1.nii.gz", "A"),  # a single file's folder
        (".", ".."),  # above all
        (".", "link"),  # the input by a link
        ("link", "."),
    ],
)
def test_an_output_that_holds_a_scan_is_refused(
    scans, predict_options, source, output, overwrite, monkeypatch
):
    monkeypatch.chdir(scans)  # so that the paths are relative
    link = scans.parent / "link"
    link.symlink_to(scans)
    source, output = (str(link) if place == "link" else place for place in (source, output))
    before = content_of(scans)
    options = predict_options(Path(source), f"output={output}", f"overwrite={overwrite}")
    with pytest.raises(DataError, match=r"output=.*: holds the scan .*_t1\.nii\.gz; give a folder for the"):
        run(options)
    assert content_of(scans) == before


def test_an_output_that_holds_what_a_link_in_the_input_leads_to_is_refused(scans, predict_options, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "A_t1.nii.gz").symlink_to(scans / "A" / "A_t1.nii.gz")
    with pytest.raises(DataError, match="holds the scan"):
        run(predict_options(linked, f"output={scans}", "overwrite=true"))


def test_an_output_that_holds_a_dicom_slice_is_refused(predict_options, write_dicom, tmp_path):
    import numpy as np

    array = np.random.default_rng(0).integers(0, 900, (20, 20, 20)).astype(np.int16)
    slices = write_dicom(tmp_path / "study" / "series", array, np.diag([8.0, 8, 8, 1]))
    with pytest.raises(DataError, match="holds the scan"):
        run(predict_options(tmp_path / "study", f"output={tmp_path / 'study'}", "overwrite=true"))
    assert all(path.is_file() for path in slices)


def test_derivatives_that_would_go_among_the_scans_are_refused(scans, predict_options):
    options = predict_options(scans, f"derivatives={scans}")
    with pytest.raises(DataError, match=r"derivatives=.*: holds the scan"):
        run(options)


def test_derivatives_in_the_output_itself_are_refused_before_any_work(scans, predict_options, tmp_path):
    with pytest.raises(DataError, match="is the output too"):
        run(predict_options(scans, f"derivatives={tmp_path / 'out'}"))


def test_results_in_a_folder_of_the_input_are_never_taken_for_scans(scans, predict_options):
    options = predict_options(scans, f"output={scans / 'results'}", "save_probabilities=true")
    assert run(options) == 0
    assert (scans / "results" / "A" / MASK).is_file()
    assert [subject.id for subject in find_subjects(scans)] == ["A", "B"]
    assert run(options) == 0


@pytest.mark.parametrize("overwrite", ["true", "false"])
def test_a_folder_of_a_subject_s_name_that_we_did_not_write_is_never_replaced(
    scans, predict_options, tmp_path, overwrite
):
    shutil.copytree(scans, tmp_path / "out")  # another copy of the scans, where the results are to go
    before = content_of(tmp_path / "out")
    options = predict_options(scans, f"overwrite={overwrite}")
    with pytest.raises(DataError, match=r"out/A: holds A_t1\.nii\.gz, and no result\.json.*another output="):
        run(options)
    assert content_of(tmp_path / "out") == before


@pytest.mark.parametrize("bad", ["", ".", "..", "../A", "a/b", "/tmp/x", ".hidden", "volumes.csv", "a\0b"])
def test_an_id_that_is_no_plain_name_is_refused_and_removes_nothing(bad, tmp_path):
    (tmp_path / "out" / "A").mkdir(parents=True)
    (tmp_path / "out" / "A" / "mine.txt").write_text("mine")
    before = content_of(tmp_path)
    with pytest.raises(DataError, match="cannot name a folder"):
        refuse_unfit_ids(tmp_path / "out", [Subject(bad, tmp_path, "loose", {})])

    def write() -> None:
        with outputs.folder_for(tmp_path / "out", bad):
            pass

    with pytest.raises(DataError, match="cannot name a folder"):
        write()
    assert content_of(tmp_path) == before


def test_notes_beside_our_files_survive_a_replacement_and_are_not_of_the_result(
    scans, predict_options, result
):
    (result / "notes.txt").write_text("seen by K.")
    (result / "screenshots").mkdir()
    (result / "screenshots" / "one.png").write_bytes(b"png")
    assert run(predict_options(scans / "A", "overwrite=true")) == 0
    assert (result / "notes.txt").read_text() == "seen by K."
    assert (result / "screenshots" / "one.png").read_bytes() == b"png"
    assert changed_files(result) == []
    assert changes(result) == [
        f"{result / name}: is not of this result" for name in ("notes.txt", "screenshots")
    ]
    assert "notes.txt" not in (result / SUMS).read_text()


def test_notes_beside_our_files_do_not_make_a_result_another_one(scans, predict_options, result, capsys):
    (result / "notes.txt").write_text("seen by K.")
    assert run(predict_options(scans / "A")) == 0
    assert "1 of them were done before" in capsys.readouterr().out


def test_a_mask_corrected_by_hand_is_kept_under_another_name_and_said(scans, predict_options, result, caplog):
    (result / MASK).write_bytes(b"by hand")
    assert run(predict_options(scans / "A", "overwrite=true")) == 0
    assert (result / f"edited-{MASK}").read_bytes() == b"by hand"
    assert (result / MASK).read_bytes() != b"by hand"
    assert f"{MASK}: had changed since it was written; it is kept as edited-{MASK}" in caplog.text
    (result / MASK).write_bytes(b"again by hand")
    assert run(predict_options(scans / "A", "overwrite=true")) == 0
    assert (result / f"edited-{MASK}").read_bytes() == b"by hand"
    assert (result / f"edited-2-{MASK}").read_bytes() == b"again by hand"


def test_a_failed_result_is_made_again_and_the_user_s_files_in_it_stay(scans, predict_options, tmp_path):
    scan, whole = scans / "A" / "A_t1.nii.gz", (scans / "A" / "A_t1.nii.gz").read_bytes()
    scan.write_bytes(b"no scan")
    assert run(predict_options(scans / "A")) == 4
    failed = tmp_path / "out" / "A"
    assert read_result(failed).status == "failed"
    (failed / "why.txt").write_text("the disk")
    (failed / MASK).write_bytes(b"drawn by hand")
    scan.write_bytes(whole)
    assert run(predict_options(scans / "A")) == 0
    assert read_result(failed).status == "done"
    assert (failed / "why.txt").read_text() == "the disk"
    assert (failed / f"edited-{MASK}").read_bytes() == b"drawn by hand"


def test_a_failure_in_place_of_a_result_keeps_the_corrected_mask(scans, predict_options, result):
    (result / MASK).write_bytes(b"by hand")
    (scans / "A" / "A_t1.nii.gz").write_bytes(b"no scan")
    assert run(predict_options(scans / "A", "overwrite=true")) == 4
    assert (result / f"edited-{MASK}").read_bytes() == b"by hand"
    assert not (result / MASK).exists()


def test_a_list_that_names_files_elsewhere_removes_none_of_them(scans, predict_options, result):
    mine = result.parent.parent / "mine.txt"
    mine.write_text("mine")
    digest = subprocess.run(["sha256sum", mine], capture_output=True, text=True, check=True).stdout.split()[0]
    with (result / SUMS).open("a") as file:
        file.write(f"{digest}  ../../mine.txt\n{digest}  {mine}\n")
    assert run(predict_options(scans / "A", "overwrite=true")) == 0
    assert mine.read_text() == "mine"


def test_an_edited_table_is_kept_under_another_name(scans, predict_options, result):
    table = result.parent / "volumes.csv"
    table.write_text("my own table")
    assert run(predict_options(scans / "A")) == 0
    assert (result.parent / "edited-volumes.csv").read_text() == "my own table"
    assert table.read_text().startswith("subject,")


def test_what_a_killed_run_left_is_swept_up_at_the_next(scans, predict_options, tmp_path):
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    (tmp_path / "out").mkdir()
    left = tmp_path / "out" / f".partial-A-{files.host()}-{dead.pid}-0123abcd"
    left.mkdir()
    (left / RESULT).write_text("{}")
    assert run(predict_options(scans / "A")) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "A",
        SUMS,
        "files.csv",
        "volumes.csv",
    ]


STEPS = ("rename", "unlink", "rmdir")


def replaced(target: Path) -> None:
    with replacement(target, known_files) as folder:
        (folder / "mask").write_text("new")
        outputs.write_result(folder, Result("A", Status.failed, Judgement.fail))


def test_a_kill_at_any_step_of_a_replacement_loses_neither_the_result_nor_the_notes(tmp_path, monkeypatch):
    """The process is stopped before its n-th rename or removal, for each n; the next run ends it."""
    counts = {"done": 0, "until": -1}

    class Killed(BaseException):
        pass

    def counted(real):
        def step(*arguments, **named):
            counts["done"] += 1
            if counts["done"] == counts["until"]:
                raise Killed
            return real(*arguments, **named)

        return step

    for name in STEPS:
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    tidy = folders._remove  # which a killed process does not
    monkeypatch.setattr(folders, "_remove", lambda folder: tidy(folder) if counts["until"] < 0 else None)
    outcomes, number = set(), 0
    while True:
        number += 1
        target = tmp_path / str(number) / "A"
        counts.update(done=0, until=-1)
        replaced(target)
        (target / "mask").write_text("by hand")
        (target / "notes").write_text("mine")
        counts.update(done=0, until=number)
        try:
            replaced(target)
            break
        except Killed:
            pass
        counts.update(done=0, until=-1)
        parent = target.parent
        whole = [place for place in (target, *parent.glob(".replaced-*")) if (place / RESULT).is_file()]
        assert whole, f"killed before step {number}: neither the old nor the new result is there"
        recover(parent, known_files)
        everything = {path.name: path.read_text() for path in parent.rglob("*") if path.is_file()}
        assert everything["notes"] == "mine"
        assert "by hand" in everything.values()
        assert (target / RESULT).is_file()
        assert not list(parent.glob(".replaced-*"))
        outcomes.add("old" if everything["mask"] == "by hand" else "new")
    assert number > 6
    assert outcomes == {"old", "new"}


def test_whole_folders_are_removed_in_one_place_only():
    package = Path(brainseg.__file__).parent
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        place = path.relative_to(package).as_posix()
        assert "rmtree" not in names or place in RMTREE, f"{place} removes a whole folder"


def test_the_demo_clears_what_it_wrote_and_nothing_else(tmp_path):
    cohort = tmp_path / "patients"
    (cohort / "sub-001" / "anat").mkdir(parents=True)
    (cohort / "sub-001" / "anat" / "t1.nii.gz").write_bytes(b"head")
    demo._list_files(cohort)
    (cohort / "sub-001" / "mine.nii.gz").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"mine\.nii\.gz: was not written by a demo"):
        demo.clear(cohort)
    assert (cohort / "sub-001" / "mine.nii.gz").read_bytes() == b"mine"
    (cohort / "sub-001" / "mine.nii.gz").rename(tmp_path / "mine.nii.gz")
    demo.clear(cohort)
    assert list(cohort.rglob("*")) == []
    (cohort / "mine.nii.gz").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"mine\.nii\.gz: was not written by a demo"):
        demo.clear(cohort)
