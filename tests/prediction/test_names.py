"""Who a subject is stands in nothing that is written, where names are hidden."""

import csv
import gzip
import re
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from brainseg.config.errors import ConfigError, DataError
from brainseg.images.layouts import find_subjects
from brainseg.prediction.dry_run import dry_run
from brainseg.prediction.reproduce import _options
from brainseg.prediction.run import run
from brainseg.results.read import all_results
from brainseg.results.verify import changes
from brainseg.system.pseudonyms import Names, hashed, hide, named

SECRETS = ("Secret", "Albers", "MRN-4711", "19700101", "20240131", "1970-01-01", "Meyer", "Zoella")


@pytest.fixture
def folder(write_dicom, tmp_path, patients):
    """A head as DICOM below folders that say whose it is, a study with two t1, and a file that is broken."""
    from brainseg.images.source import read

    (subject, *_) = find_subjects(patients)
    root = tmp_path / "Meyer_Zoella"
    for k, (name, source) in enumerate(subject.images.items()):
        volume = read(source)
        extra = {"SeriesDescription": f"{name} MRN-4711", "SeriesNumber": k, "PatientID": "MRN-4711"}
        extra |= {"PatientName": "Meyer^Zoella"}
        extra |= {"StudyDate": "20240131", "ContrastBolusAgent": "Gd" if name == "t1ce" else None}
        array = np.round(volume.data[0]).astype(np.int16)
        write_dicom(
            root / f"MRN-4711_{name}", array, volume.grid.affine, suffix=f"-Meyer-{name}.dcm", **extra
        )
    few = np.arange(7 * 9 * 12, dtype=np.int16).reshape(7, 9, 12)
    for number in (1, 2):
        more = {
            "PatientID": "Secret9",
            "PatientName": "Albers^Jo",
            "SeriesNumber": number,
            "SeriesDescription": "t1 Meyer",
        }
        write_dicom(root / f"Zoella{number}", few, np.diag([-8.0, 8, 8, 1]), **more)
    (root / "Meyer.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 50)
    return root


def leaks(texts, *more):
    pattern = re.compile("|".join(map(re.escape, (*SECRETS, *more))).encode(), re.I)
    uid = re.compile(rb"(?:\d+\.){6,}\d+")
    return [found.group() for text in texts for found in (*pattern.finditer(text), *uid.finditer(text))]


def everything(output):
    """The bytes of each file, and its path; numbers in compressed images and pictures are none of text."""
    for path in sorted(output.rglob("*")):
        yield str(path.relative_to(output)).encode()
        if path.is_file():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            yield re.sub(rb"[A-Za-z0-9+/]{200,}={0,2}", b"", content)  # pictures in a page


def result_of(output):
    """That of the head."""
    (result,) = (one for one in all_results(output) if one.subject != hashed("Secret9"))
    return result


@pytest.mark.parametrize("table", [False, True])
def test_nothing_that_is_written_says_who_it_is(table, folder, options, tmp_path, caplog, capfd):
    names = tmp_path / "table.csv"
    names.write_text("id,name\nMRN-4711,case-1\n")
    output = tmp_path / "out"
    bids = tmp_path / "bids"
    how = [f"names={names if table else 'hash'}", "page=true", "montage=true", f"derivatives={bids}"]
    chosen = options(folder, *how, output=output)
    assert run(chosen) == 4  # the second study fails
    result = result_of(output)
    assert {one.subject for one in all_results(output)} == {result.subject, hashed("Secret9")}
    assert result.subject == ("case-1" if table else hashed("MRN-4711"))
    assert result.settings.values["input"] == "input"
    said = capfd.readouterr()
    texts = [
        *everything(output),
        *everything(bids),
        caplog.text.encode(),
        said.out.encode(),
        said.err.encode(),
    ]
    own = [str(names).encode()]
    assert leaks(text.replace(own[0], b"") for text in texts) == []
    assert run(chosen) in (0, 3, 4)  # the same command finds what is done
    assert "done before" in capfd.readouterr().out


def test_without_hiding_the_names_are_there(folder, options, tmp_path):
    run(options(folder, "page=true", output=tmp_path / "out"))
    assert leaks(everything(tmp_path / "out"))


def test_a_failed_subject_is_hidden_too(folder, options, tmp_path, caplog, capfd):
    for path in (folder / "MRN-4711_t1").iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    output = tmp_path / "out"
    assert run(options(folder, "names=hash", "page=true", output=output)) == 4
    result = result_of(output)
    assert re.match(r"input/\d+/\d+\.dcm: ", result.error)
    said = capfd.readouterr()
    texts = [*everything(output), caplog.text.encode(), said.out.encode(), said.err.encode()]
    assert leaks(texts) == []


def test_a_table_without_a_subject_is_refused_without_naming_it(folder, options, tmp_path):
    (tmp_path / "table.csv").write_text("id,name\nX,case-1\n")
    with pytest.raises(DataError, match=r"table.csv: has no row for 1 of 1 subjects; add") as caught:
        run(options(folder, f"names={tmp_path / 'table.csv'}", output=tmp_path / "out"))
    assert not leaks([str(caught.value).encode()])


@pytest.mark.parametrize(
    "text", ["", "id\nA\n", "id,name\nA,\n", "id,name\nA,x\nB,x\n", "id,name\nA,x\nA,y\n"]
)
def test_a_table_that_says_nothing_clear_is_refused(text, folder, options, tmp_path):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"names=.*table.csv: "):
        run(options(folder, f"names={tmp_path / 'table.csv'}", output=tmp_path / "out"))


def test_an_error_that_ends_the_command_says_no_name(options, tmp_path):
    (tmp_path / "Meyer").mkdir()
    (tmp_path / "Meyer" / "Zoella_x.nii.gz").touch()
    (tmp_path / "Meyer" / "albers").mkdir()
    with pytest.raises(DataError, match="input: no scan found") as caught:
        run(options(tmp_path / "Meyer", "names=hash", output=tmp_path / "out"))
    assert not leaks([str(caught.value).encode()])


def test_paths_become_places_and_ordinary_words_stay(tmp_path):
    (tmp_path / "in" / "b x").mkdir(parents=True)
    for name in ("a.nii.gz", "b x/Zoe_t1.nii.gz", "b x/IM7"):
        (tmp_path / "in" / name).touch()
    names = Names(None, tmp_path / "in")
    names.learn("Zoe^Meyer", "12", "P1", "20240131", "Jo")
    with named(names):
        assert hide(f"{tmp_path / 'in' / 'b x' / 'Zoe_t1.nii.gz'}: is bad") == "input/2/2.nii.gz: is bad"
        assert hide(f"{tmp_path / 'in'} and {tmp_path / 'in' / 'b x'}: x") == "input and input/2: x"
        assert hide(f"{tmp_path / 'into'}") == f"{tmp_path / 'into'}"
        assert hide("IM7 and Zoe_t1.nii.gz lie 12 mm apart") == "1 and 2.nii.gz lie 12 mm apart"
        assert hide("MEYER, P1, 2024-01-31 of 12, job") == "hidden, hidden, hidden of 12, job"
        assert hide("1.2.840.10008.5.1.4.1.1.4 of 2.12.1") == "UID of 2.12.1"
    assert hide("Meyer") == "Meyer"


def test_hydra_leaves_no_record_of_the_input(folder, tmp_path):
    said = subprocess.run(
        [
            sys.executable,
            Path(__file__).parents[2] / "predict.py",
            f"input={folder}",
            "names=hash",
            "sequence=t1",
            "skullstripper=otsu",
            "segmenter=null",
            f"hydra.run.dir={tmp_path / 'run'}",
            "montage=false",
            "device=cpu",
        ],
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert said.returncode in (0, 3, 4), said.stderr
    assert leaks([*everything(tmp_path / "run"), said.stdout, said.stderr]) == []


def test_what_is_hidden_is_neither_missed_nor_made_again(folder, options, tmp_path):
    output = tmp_path / "out"
    run(options(folder, "names=hash", output=output))
    result = result_of(output)
    place = output / result.subject
    assert changes(place) == []
    with pytest.raises(DataError, match="names are hidden in it, so its scans cannot be found"):
        _options(result, place)


@pytest.fixture
def hospital(folder, patients):
    """DICOM of two studies, one of them ambiguous; beside them a NIfTI pair and files that are no scan."""
    pair = folder.parent / "hospital" / "pairs" / "Albers_Meyer"
    pair.mkdir(parents=True)
    folder.rename(folder.parent / "hospital" / "dicom")
    scan = nib.load(patients / "sub-001" / "anat" / "sub-001_T1w.nii.gz")
    nib.save(nib.Nifti1Pair(scan.dataobj, scan.affine, scan.header), pair / "MRN-4711_t1.hdr")
    (pair / "MRN-4711_t2.img").write_bytes(b"the header is lost")
    (pair / "Meyer, MRN-4711.txt").write_text("notes")
    return folder.parent / "hospital"


def table_of(output):
    with (output / "files.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def counted(rows):
    return {fate: sum(row["fate"] == fate for row in rows) for fate in {row["fate"] for row in rows}}


QUICK = ("skullstripper=otsu", "classifier=null", "segmenter=null", "montage=false")


@pytest.mark.parametrize("names", ["keep", "hash"])
@pytest.mark.parametrize("part", ["dicom", "pairs", ""])
def test_every_file_of_a_hospital_is_accounted_for(
    part, names, hospital, options, tmp_path, caplog, capfd, monkeypatch
):
    """NIfTI goes first where both are of one patient: that one's DICOM is left out then, and said to be."""
    monkeypatch.setenv("COLUMNS", "300")
    output, place = tmp_path / "out", hospital / part
    files = [path for path in place.rglob("*") if path.is_file()]
    chosen = options(place, *QUICK, f"names={names}", "page=true", output=output)
    code = 0 if part == "pairs" else 4
    assert dry_run(chosen) == code
    assert not output.exists()
    dry = capfd.readouterr().out
    assert run(chosen) == code
    rows = table_of(output)
    assert len(rows) == len({row["file"] for row in rows}) == len(files)
    ids = ["MRN-4711"] if part == "pairs" else ["MRN-4711", "Secret9"]
    written = ids if names == "keep" else list(map(hashed, ids))
    assert sorted(one.subject for one in all_results(output)) == sorted(written)
    roles = {row["role"] for row in rows if row["fate"] == "used"}
    if part == "dicom":
        used = [row for row in rows if row["subject"] == written[0]]
        assert counted(used) == {"used": len(used)}
        assert roles == {"t1", "t1ce", "t2", "flair"}
        (fault,) = {row["why"] for row in rows if row["subject"] == written[1]}
        assert "claim to be the t1; take one with choose.series=[1] or [2]" in fault
        assert re.search(rf"{written[1]} would fail: .*: series 1 '.*' and series 2 ", dry)
        assert counted(rows)["unreadable"] == 1  # the broken file
    else:
        assert roles == {"t1"}
        lost = {} if part == "pairs" else {"unreadable": 1}  # the broken file
        assert counted(rows) == {"used": 2, "left out": len(files) - 2 - len(lost), **lost}
        assert sorted(row["file"][-4:] for row in rows if row["fate"] == "used") == [".hdr", ".img"]
        assert sum(row["why"].startswith("has no header ") for row in rows) == 1
        left = {row["subject"] for row in rows if row["why"].startswith("is DICOM of ")}
        assert left == (set() if part == "pairs" else {written[0]})
    said = capfd.readouterr()
    texts = [*everything(output), caplog.text.encode(), dry.encode(), said.out.encode(), said.err.encode()]
    assert bool(leaks(texts)) == (names == "keep")


def test_what_would_name_the_patient_is_refused_with_hidden_names(folder, options, tmp_path):
    with pytest.raises(
        ConfigError, match="dicom=true writes the patient's name into each file, but names is"
    ):
        options(folder, "names=hash", "dicom=true")
    from PIL import Image

    (tmp_path / "slices").mkdir()
    Image.new("L", (40, 40)).save(tmp_path / "slices" / "x.png")
    with pytest.raises(ConfigError, match="names=hash: names of pictures of slices cannot be hidden"):
        run(options(tmp_path / "slices", "names=hash", output=tmp_path / "out"))
