"""A table that says which slices are of one patient: each of its groups stays on one side of a split."""

import numpy as np
import pytest
from PIL import Image

from brainseg.config import TUMOR_TYPES
from brainseg.config.errors import ConfigError, DataError
from brainseg.data.groups import numbers_of, read_groups, united

SMALL = ["classifier.preprocess.size=32", "classifier.preprocess.crop=none", "classifier.batch_size=8"]
NAMES = ["Training/glioma/a.jpg", "Training/glioma/b.jpg", "Training/pituitary/a.jpg", "Testing/glioma/c.jpg"]


@pytest.fixture
def root(tmp_path):
    """Noise: 12 slices of each class to train on and 2 to test on, of 5 patients; notumor has none."""
    rng = np.random.default_rng(0)
    lines = ["class,file,patient_fold"]
    for kind in TUMOR_TYPES:
        for part, n in (("Training", 12), ("Testing", 2)):
            for i in range(n):
                path = tmp_path / "set" / part / kind / f"{part[:2]}-{kind}_{i:02d}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(path)
                if kind != "notumor" and part == "Training":
                    lines.append(f"{kind},{path.name},{i % 4}")
    lines.append("glioma,Te-glioma_00.jpg,3")
    (tmp_path / "patients.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "set"


def fold_of(name):
    return None if "notumor" in name else int(name[-6:-4]) % 4


@pytest.mark.parametrize("split", ["grouped", "random"])
def test_no_patient_is_on_two_sides_and_those_of_the_test_part_are_not_trained_on(root, ready, split):
    data = ready(root, *SMALL, f"data.split={split}", f"data.groups={root.parent}/patients.csv")
    train, val = ({fold_of(name) for name in part} - {None} for part in (data.split.train, data.split.val))
    assert train
    assert val
    assert not train & val
    assert 3 not in train | val  # a slice of that patient is in Testing
    assert data.facts["groups"] == 4
    assert data.facts["left_out_groups"] == 9
    assert len(data.split.val) == pytest.approx(0.25 * 39, abs=5)  # val_share, of slices
    subjects = data.parts["val"].subjects
    assert len(set(subjects)) < len(subjects)  # by which intervals are resampled


def test_without_a_table_they_are_mixed(root, ready):
    data = ready(root, *SMALL, "data.split=random")
    train, val = ({fold_of(name) for name in part} for part in (data.split.train, data.split.val))
    assert train & val


def test_a_split_is_refused_before_anything_is_read_where_groups_cannot_fill_it(root, module):
    table = root.parent / "one.csv"
    names = [path.relative_to(root).as_posix() for path in root.rglob("*.jpg")]
    table.write_text("file;group\n" + "".join(f"{name};1\n" for name in names))
    with pytest.raises(DataError, match="1 subject is too few"):
        module(root, *SMALL, f"data.groups={table}").check_split()


def test_official_has_no_groups(root, module):
    with pytest.raises(ConfigError, match=r"data\.groups is .*, but data\.split=official") as caught:
        module(root, *SMALL, "data.split=official", f"data.groups={root.parent}/patients.csv")
    assert caught.value


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "file,group\nTraining/glioma/a.jpg,p1\nc.jpg,p2\n",
        "\ufefffile;patient\nTraining\\glioma\\a.jpg;p1\nTesting/glioma/c.jpg;p2\nb.jpg;\n",
        "class,file,mirrored,patient_fold\nglioma,a.jpg,0,p1\nglioma,c.jpg,1,p2\nglioma,gone.jpg,0,p3\n",
    ],
)
def test_files_are_named_from_the_root_or_by_their_end(tmp_path, text):
    found = read_groups(written(tmp_path, text), NAMES)
    assert found == {"Training/glioma/a.jpg": "p1", "Testing/glioma/c.jpg": "p2"}
    assert numbers_of(found, NAMES).tolist() == [0, 2, 3, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,group\na.jpg,1\n", "must have the columns file .* and group .* it has name, group"),
        ("", "it has none"),
        ("file,group\na.jpg,1\n", "line 2: a.jpg may be Training/glioma/a.jpg or Training/pituitary/a.jpg"),
        ("file,group\nb.jpg,1\nb.jpg,2\n", "line 3: b.jpg is of group 2 here and of 1 above"),
        ("file,group\nx.jpg,1\n", "names none of the 4 slices, such as Training/glioma/a.jpg"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said) as caught:
        read_groups(written(tmp_path, text), NAMES)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file; give a table"):
        read_groups(tmp_path / "none.csv", NAMES)
    (tmp_path / "x.csv").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(DataError, match="is no table in UTF-8"):
        read_groups(tmp_path / "x.csv", NAMES)


def test_what_is_linked_by_either_numbering_is_one():
    assert united(5, np.array([0, 0, 1, 2, 3]), np.array([4, 5, 5, 6, 4])).tolist() == [0, 0, 0, 1, 0]
