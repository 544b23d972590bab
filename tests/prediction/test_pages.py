"""The report pages, as a user's browser shows them, with the network off."""

import json
import shutil
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch

from brainseg.config.errors import DataError, ImageError
from brainseg.prediction.run import run
from brainseg.reporting.serve import server_of
from brainseg.reporting.subject_page import write_subject_page

sys.path.insert(0, str(Path(__file__).parents[1] / "reporting"))
from chromium import PROGRAM, Chromium

NAME = "<script>alert(1)</script>&\"'"
seen = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def made(patients, trained, tmp_path_factory):
    """Results of a patient with a hostile name, of one with a plain one, and of one that lacks scans."""
    from hydra import compose, initialize_config_dir

    from brainseg.config import check_predict, conf_dir

    folder = tmp_path_factory.mktemp("pages")
    for subject in ("sub-001", "sub-002"):
        anat = patients / subject / "anat"
        name = NAME.replace("/", "") if subject == "sub-001" else "limited"
        for source, sequence in (
            ("T1w", "t1"),
            ("ce-gadolinium_T1w", "t1ce"),
            ("T2w", "t2"),
            ("FLAIR", "flair"),
        ):
            target = folder / "in" / name / f"{name}_{sequence}.nii.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(anat / f"{subject}_{source}.nii.gz", target)
    (folder / "in" / "broken").mkdir()
    (folder / "in" / "broken" / "broken_t1.nii.gz").write_bytes(b"no image")
    stripper = torch.load(trained("skullstripper")[1], weights_only=True)
    earlier = {"facts": {"train_subjects": 77}, "data": {"root": "/elsewhere/nfbs"}}
    stripper["brainseg"]["run"]["started_from"] = earlier
    torch.save(stripper, folder / "started.ckpt")
    models = [f"{task}={trained(task)[1]}" for task in ("classifier", "segmenter")]
    models.append(f"skullstripper={folder / 'started.ckpt'}")
    output = folder / "out"
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        cfg = compose("predict", [f"input={folder / 'in'}", f"output={output}", "gates=none", *models])
    assert run(check_predict(cfg)) == 4
    return output


@pytest.fixture(scope="module")
def browser():
    with Chromium() as one:
        yield one


def hostile(made):
    return made / NAME.replace("/", "") / "report.html"


def test_every_subject_and_the_batch_have_a_page_of_less_than_15_mb(made):
    results = {path.parent.name: json.loads(path.read_text()) for path in made.glob("*/result.json")}
    assert len(results) == 3
    index = (made / "index.html").read_text()
    for name, result in results.items():
        assert (made / name / "report.html").stat().st_size < 15e6
        assert result["subject"] == name
    assert index.index(">broken<") < index.index(">limited<")  # those to look at come first


def test_a_name_is_only_a_name(made):
    for page in (hostile(made), made / "index.html"):
        text = page.read_text()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_what_could_not_be_read_has_a_page_that_says_so(made):
    text = (made / "broken" / "report.html").read_text()
    assert "Failed: this subject was stopped" in text
    assert "broken_t1.nii.gz: is not a NIfTI image" in text
    assert 'id="planes"' not in text


def test_the_page_has_the_numbers_of_the_result(made):
    result = json.loads((made / "limited" / "result.json").read_text())
    text = (made / "limited" / "report.html").read_text()
    for entry in [*result["inputs"].values(), *result["models"].values()]:
        assert entry["sha256"] in text
    for vote in result["tumor_type"]["slices"]:
        assert f"{vote['probabilities']['glioma']:.3f}" in text
    assert f"{result['volumes_ml']['whole_tumor']:.1f}" in text
    learnt = result["models"]["segmenter"]["learnt_from"]
    assert f"learnt from {learnt['examples']} subjects of synthetic heads" in text
    assert "(t1), before that from 77 subjects of nfbs" in text
    assert "no medical device" in text


@seen
def test_nothing_is_asked_for_and_nothing_complains(made, browser):
    for page in (hostile(made), made / "limited" / "report.html", made / "index.html"):
        browser.open(page)
        browser.until("!document.getElementById('planes') || !document.getElementById('planes').hidden")
        assert browser.requests == []
        assert browser.errors == []


@seen
def test_the_slider_moves_the_picture_by_mouse_and_by_keyboard(made, browser):
    browser.open(made / "limited" / "report.html")
    browser.until("document.getElementById('planes') && !document.getElementById('planes').hidden")
    picture = "document.getElementById('plane-axial').toDataURL()"
    slider = "document.getElementById('slice-axial')"
    first, value = browser.run(picture), int(browser.run(f"{slider}.value"))
    browser.run(f"{slider}.focus()")
    browser.key("ArrowRight")
    browser.until(f"{slider}.value == {value + 1}")
    moved = browser.run(picture)
    assert moved != first
    browser.key("ArrowLeft")
    browser.until(f"{slider}.value == {value}")
    assert browser.run(picture) == first
    said = browser.run("document.getElementById('said-axial').textContent")
    assert said.startswith(f"{value + 1} of ")


@seen
def test_the_picture_is_the_scan(made, browser, patients):
    """The axial plane without overlay against the file, at the slice that the slider says."""
    import nibabel as nib

    browser.open(made / "limited" / "report.html")
    browser.until("document.getElementById('planes') && !document.getElementById('planes').hidden")
    browser.run("strength.value = 0; strength.dispatchEvent(new Event('input'))")
    shape = browser.run("JSON.parse(document.getElementById('volumes').textContent).shape")
    scan = np.asarray(nib.load(patients / "sub-002" / "anat" / "sub-002_T1w.nii.gz").dataobj)
    brain = np.asarray(nib.load(made / "limited" / "limited_brain_mask.nii.gz").dataobj) > 0
    scan = np.clip(scan, *np.percentile(scan[brain], (0.5, 99.5)))  # what is black and what is white
    rows = browser.run(
        "(() => { const c = document.getElementById('plane-axial'), g = c.getContext('2d');"
        f"const k = c.width / {shape[0]};"
        f"return Array.from({{length: {shape[1]}}}, (_, r) => Array.from({{length: {shape[0]}}}, (_, x) =>"
        "g.getImageData(Math.floor((x + .4) * k), Math.floor((r + .4) * k), 1, 1).data[0])); })()"
    )
    shown = np.array(rows, float)[::-1, ::-1].T  # right at the left and front at the top: back to R, A
    z = int(browser.run("document.getElementById('slice-axial').value"))
    assert best_fit(shown, scan, z, shape) > 0.98
    assert best_fit(shown[::-1], scan, z, shape) < 0.95  # left and right are as they were


def best_fit(shown, scan, z, shape):
    """The picture against the file's slices, wherever the page may have cropped them to the head."""
    x, y, apart = (n - m for n, m in zip(scan.shape, shape, strict=True))
    cuts = [
        scan[i : i + shape[0], j : j + shape[1], z + k]
        for i in range(x + 1)
        for j in range(y + 1)
        for k in range(apart + 1)
    ]
    return max(np.corrcoef(shown.ravel(), cut.ravel())[0, 1] for cut in cuts)


@seen
def test_without_webgl_the_page_says_so_and_nothing_fails(made, browser):
    browser.open(made / "limited" / "report.html")
    browser.until("!document.getElementById('planes').hidden")
    browser.run("document.getElementById('space').scrollIntoView()")
    browser.until("document.getElementById('space-note').textContent.includes('no WebGL 2')")
    assert browser.errors == []


@seen
def test_niivue_draws_the_brain(made):
    with Chromium(gl=True) as browser:
        browser.open(made / "limited" / "report.html")
        browser.until("!document.getElementById('planes').hidden")
        browser.run("document.getElementById('space').scrollIntoView()")
        browser.until("document.getElementById('space').dataset.state", seconds=120)
        note = browser.run("document.getElementById('space-note').textContent")
        assert browser.run("document.getElementById('space').dataset.state") == "ready", note
        assert browser.requests == []
        assert browser.errors == []


@seen
def test_names_for_those_who_cannot_see_and_no_page_wider_than_a_phone(made, browser):
    browser.look(width=390)
    for page in (made / "limited" / "report.html", made / "index.html"):
        browser.open(page)
        assert browser.run("[...document.images].every(i => i.alt)")
        assert browser.run(
            "[...document.querySelectorAll('input')].every(i => i.labels.length || i.ariaLabel)"
        )
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    browser.look()


def test_the_pages_are_served_to_this_machine_and_to_its_own_name_only(made, tmp_path):
    server, address = server_of(made, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert address.startswith("http://127.0.0.1:")
        assert urllib.request.urlopen(address).read() == (made / "index.html").read_bytes()
        for path, host, code in (
            ("", "evil.example", 403),
            ("/../../etc/passwd", "127.0.0.1", 404),
            ("/limited/", "127.0.0.1", 404),
        ):
            request = urllib.request.Request(address.rsplit("/", 1)[0] + path, headers={"Host": host})
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            assert refused.value.code == code, path
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(DataError, match=r"has no index.html or report.html; give a folder that predict.py"):
        server_of(tmp_path, 0)


def test_without_page_there_is_none(options, patients, tmp_path):
    run(options(patients / "sub-001", "classifier=null", "segmenter=null", "page=false"))
    assert not (tmp_path / "out" / "index.html").exists()
    assert not (tmp_path / "out" / "sub-001" / "report.html").exists()


def test_an_old_result_that_cannot_be_read_is_in_the_index_and_stops_nothing(options, patients, tmp_path):
    for content, name in (("{", "torn"), ("[]", "strange")):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "result.json").write_text(content)
    quick = ("classifier=null", "segmenter=null", "montage=false", "page=true")
    assert run(options(patients / "sub-001", *quick)) == 0
    index = (tmp_path / "out" / "index.html").read_text()
    assert index.count('<span class="badge none">unreadable</span>') == 3  # two rows, and the count above
    assert "strange/result.json: cannot be read" in index


def test_a_disk_too_full_for_the_page_of_a_failure_takes_nobody_down(
    options, patients, tmp_path, monkeypatch, caplog
):
    def full(path, result, *_):
        if result.subject == "sub-001":
            raise ImageError(f"{path}: not written, no space left on device")
        write_subject_page(path, result, *_)

    monkeypatch.setattr("brainseg.prediction.subject.write_subject_page", full)
    monkeypatch.setattr(sys.modules["brainseg.prediction.run"], "write_subject_page", full)
    quick = ("classifier=null", "segmenter=null", "montage=false", "page=true")
    assert run(options(patients, *quick)) == 4
    assert (tmp_path / "out" / "sub-002" / "report.html").is_file()
    assert "sub-001: its failure could not be written" in caplog.text
