import numpy as np
import pytest

from brainseg.config import VolumePreprocess
from brainseg.config.choices import Crop, Intensity
from brainseg.images import nifti
from brainseg.images.layouts import find_subjects, load_subject
from brainseg.images.volume import Volume
from brainseg.preprocess.volumes import prepare_labels, prepare_volume

pytestmark = pytest.mark.data


@pytest.mark.parametrize(("spacing_mm", "at_least"), [(1.0, 1.0), (1.5, 0.96), (2.0, 0.93)])
def test_a_real_tumour_comes_back_from_other_spacings(spacing_mm, at_least, real_data):
    subject = find_subjects(real_data / "brats13")[0]
    scan, truth = load_subject(subject, ["flair"]), nifti.read_labels(subject.truth)
    settings = VolumePreprocess(["flair"], [spacing_mm] * 3, Intensity.zscore_nonzero, Crop.nonzero)
    prepared = prepare_volume(scan, settings)
    tumour = prepared.undo(prepare_labels(truth, prepared)[None], nearest=True)[0] > 0
    wanted = truth.data[0] > 0
    assert 2 * np.sum(tumour & wanted) / (tumour.sum() + wanted.sum()) >= at_least


@pytest.mark.parametrize("sequence", ["t1", "t2", "flair"])
def test_a_crop_to_a_real_head_keeps_the_brain_and_loses_air(sequence, real_data):
    settings = VolumePreprocess([sequence], [2.0] * 3, Intensity.percentile, Crop.head)
    for subject in find_subjects(real_data / "open_ms"):
        scan = load_subject(subject, [sequence])
        mask = nifti.read_labels(subject.brain_masks[sequence])
        prepared = prepare_volume(scan, settings)
        ones = prepared.undo(np.ones((1, *prepared.grid.shape), np.uint8), nearest=True)
        assert np.all(ones[mask.data > 0] == 1)
        assert ones.mean() < 0.95
        brain = prepare_labels(Volume(mask.data, mask.grid), prepared) > 0
        assert 0.1 < np.median(prepared.image[0][brain]) < 1
