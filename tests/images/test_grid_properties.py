"""The guarantee of the grid: what goes in at a voxel comes out at that voxel, however the file stores it."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from brainseg.config import VolumePreprocess
from brainseg.config.choices import ANY, Crop, Intensity
from brainseg.config.errors import ImageError
from brainseg.images import nifti
from brainseg.images.volume import Volume, ras_grid
from brainseg.prediction.brain import Brain
from brainseg.prediction.scans import Scans
from brainseg.prediction.segment import Segmentation
from brainseg.preprocess.volumes import prepare_volume

from ..orientations import ORIENTATIONS

DTYPES = (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)
CODES = [(s, q) for s in range(5) for q in range(5)]  # of s-form and q-form, all that NIfTI-1 has
UNITS_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
WRITTEN = ("brain_mask", "brain_probability", "t1_stripped", "tumor_labels", "tumor_probabilities")

# Without shrinking, which takes minutes here.
repeatable = {"deadline": None, "derandomize": True, "database": None, "phases": [Phase.generate]}


@dataclass(frozen=True)
class Stored:
    """A file with one voxel brighter than all others, and how it is stored."""

    shape: tuple[int, int, int]
    mark: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    degrees: tuple[float, float, float]  # about R, A and S
    dtype: type
    slope: float
    inter: float
    codes: tuple[int, int]
    unit: str
    orientation: str = "RAS"

    @property
    def affine_mm(self) -> np.ndarray:
        """The axes of the orientation, turned."""
        axes = np.zeros((3, 3))
        for axis, letter in enumerate(self.orientation):
            row = next(n for n, pair in enumerate(("LR", "PA", "IS")) if letter in pair)
            axes[row, axis] = 1 if letter in "RAS" else -1
        matrix = nib.eulerangles.euler2mat(*np.radians(self.degrees)) @ axes @ np.diag(self.spacing_mm)
        return nib.affines.from_matvec(matrix, [3.0, -20.0, 11.0] - matrix @ (np.array(self.shape) - 1) / 2)

    def save(self, path: Path) -> None:
        raw = np.zeros(self.shape, self.dtype)
        raw[1:-1, 1:-1, 1:-1] = 1
        raw[self.mark] = 100
        affine = np.diag([1 / UNITS_MM[self.unit]] * 3 + [1.0]) @ self.affine_mm
        image = nib.Nifti1Image(raw, affine)
        image.set_sform(affine, self.codes[0])
        image.set_qform(affine, self.codes[1])
        image.header.set_xyzt_units(self.unit)
        image.header.set_slope_inter(self.slope, self.inter)
        nib.save(image, path)


@st.composite
def files(draw) -> Stored:
    shape = tuple(draw(st.integers(3, 9)) for _ in range(3))
    return Stored(
        shape,
        mark=tuple(draw(st.integers(0, n - 1)) for n in shape),
        spacing_mm=tuple(draw(st.floats(0.5, 6.0)) for _ in range(3)),
        degrees=tuple(draw(st.floats(-17, 17)) for _ in range(3)),  # together up to 30
        dtype=draw(st.sampled_from(DTYPES)),
        slope=draw(st.sampled_from([1.0, 0.5, 2.0, 0.003, 17.3])),
        inter=draw(st.sampled_from([0.0, -1024.0, 12.5])),
        codes=draw(st.sampled_from(CODES)),
        unit=draw(st.sampled_from(list(UNITS_MM))),
    )


def read_back(file: Stored) -> Volume:
    with TemporaryDirectory() as folder:
        file.save(Path(folder) / "a.nii")
        volume = nifti.read(Path(folder) / "a.nii")
    if any(file.codes):  # with both 0 the file does not say where it lies
        # Quaternions of 32 bits lose this much where the rotation is by nearly half a turn.
        np.testing.assert_allclose(volume.grid.affine, file.affine_mm, rtol=1e-5, atol=0.02)
    return volume


def place_of(array: np.ndarray) -> tuple[int, ...]:
    """The one voxel above all others."""
    return tuple(int(n) for n in np.unravel_index(array.argmax(), array.shape))


@given(
    file=files(),
    finer=st.none() | st.tuples(*[st.floats(0.3, 1.0)] * 3),
    crop=st.sampled_from([Crop.none, Crop.nonzero]),
)
@settings(max_examples=20, **repeatable)
def test_a_marked_voxel_comes_back_to_itself_through_what_a_network_is_shown(file, finer, crop):
    for orientation in ORIENTATIONS:
        volume = read_back(replace(file, orientation=orientation))
        sides_mm = ras_grid(volume.grid).spacing_mm
        spacing_mm = finer and [share * side for share, side in zip(finer, sides_mm, strict=True)]
        prepared = prepare_volume(volume, VolumePreprocess([ANY], spacing_mm, Intensity.minmax, crop))
        back = prepared.undo(prepared.image, nearest=False)[0]
        assert back.shape == file.shape
        assert place_of(back) == file.mark
        shown = nib.affines.apply_affine(prepared.grid.affine, place_of(prepared.image[0]))
        stored = nib.affines.apply_affine(np.linalg.inv(volume.grid.affine), shown)
        # Within the voxel that is marked, or where the last layer reaches beyond the scan.
        assert np.abs(stored - file.mark).max() <= 1 + 1e-4


@given(file=files(), orientation=st.sampled_from(ORIENTATIONS))
@settings(max_examples=60, **repeatable)
def test_every_output_has_the_shape_affine_codes_and_units_of_the_input(file, orientation):
    with TemporaryDirectory() as place:
        source, written = Path(place) / "in.nii.gz", Path(place) / "out"
        replace(file, orientation=orientation).save(source)
        write_all(nifti.read(source), file.mark, written)
        names = sorted(path.name for path in written.iterdir())
        assert names == [f"x_{what}.nii.gz" for what in WRITTEN]
        for name in names:
            after = nib.load(written / name)
            assert_same_place(nib.load(source), after)
            voxels = np.asarray(after.dataobj)
            assert place_of(np.abs(voxels if voxels.ndim == 3 else voxels[..., 0])) == file.mark
        stripped = np.asarray(nib.load(written / "x_t1_stripped.nii.gz").dataobj)
        assert np.count_nonzero(stripped) == 1
        np.testing.assert_allclose(stripped[file.mark], 100 * file.slope + file.inter, rtol=1e-6)


def write_all(volume: Volume, mark: tuple[int, int, int], folder: Path) -> None:
    """All images that a prediction leaves, of a brain and a tumour of one voxel."""
    here = np.zeros(volume.grid.shape, bool)
    here[mark] = True
    scans = Scans({"t1": volume}, "t1")
    brain = Brain(here, np.where(here, 3.0, -3.0).astype(np.float32))
    tumor = Segmentation(here.astype(np.uint8), np.stack([here] * 3).astype(np.float32), ("t1",))
    for outcome in (brain, tumor):
        outcome.write(folder, "x", scans, probabilities=True)


def assert_same_place(before: nib.Nifti1Image, after: nib.Nifti1Image) -> None:
    assert after.shape[:3] == before.shape
    np.testing.assert_array_equal(after.affine, before.affine)
    for form in ("sform", "qform"):
        (old, old_code), (new, new_code) = (
            getattr(image.header, f"get_{form}")(coded=True) for image in (before, after)
        )
        assert new_code == old_code, form
        if old_code:
            np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(after.header["pixdim"][:4], before.header["pixdim"][:4])
    assert after.header["xyzt_units"] == before.header["xyzt_units"]


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_metres_and_microns_become_mm_and_a_file_that_only_says_so_is_named(unit, tmp_path):
    file = Stored((4, 5, 6), (1, 2, 3), (2.0, 2.0, 3.0), (0, 0, 0), np.int16, 1.0, 0.0, (1, 1), unit)
    file.save(tmp_path / "a.nii.gz")
    assert nifti.read(tmp_path / "a.nii.gz").grid.spacing_mm == pytest.approx((2, 2, 3), rel=1e-6)
    assert nifti.read_labels(tmp_path / "a.nii.gz").grid.spacing_mm == pytest.approx((2, 2, 3), rel=1e-6)
    replace(file, unit="mm").save(tmp_path / "b.nii.gz")
    wrong = nib.load(tmp_path / "b.nii.gz")
    wrong.header.set_xyzt_units(unit)
    nib.save(wrong, tmp_path / "c.nii.gz")
    with pytest.raises(
        ImageError,
        match=r"c\.nii\.gz: the header says that voxels are 2 x 2 x 3 (metres|microns), which is no scan of "
        r"a head; if these are mm, set xyzt_units in the header to 2$",
    ):
        nifti.read(tmp_path / "c.nii.gz")
