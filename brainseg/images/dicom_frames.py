"""The header of each frame of an enhanced file, under the names that a file of one slice has.

Enhanced MR keeps what differs between frames in functional groups: those of one frame, and those that all
share (DICOM PS3.3 C.7.6.16 and A.36). A frame has its own place, scale, time and type.
"""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

from collections.abc import Iterator, Mapping
from typing import Any

from brainseg.config.errors import ImageError

FRAME = "Frame"  # the key of a frame's number, from 0, among its header's values
SEQUENCES = (
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ContrastBolusAgentSequence"),
    *("EchoPulseSequence", "EchoPlanarPulseSequence", "NumberOfFrames"),
)
_SHARED, _EACH, _AGENT = SEQUENCES[:3]
_OF_A_FRAME = {
    "ImagePositionPatient": ("PlanePositionSequence", "ImagePositionPatient"),
    "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
    "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    "InversionTime": ("MRModifierSequence", "InversionTimes"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "RescaleSlope": ("PixelValueTransformationSequence", "RescaleSlope"),
    "RescaleIntercept": ("PixelValueTransformationSequence", "RescaleIntercept"),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
}
_PARTS = {"PHASE": "P", "REAL": "R", "IMAGINARY": "I"}  # of a complex image, as ImageType has them


def has_frames(dataset: Any) -> bool:
    return _EACH in dataset


def frame_values(
    dataset: Any, values: Mapping[str, Any], path: object, plain: Any
) -> Iterator[dict[str, Any]]:
    """What the header says of each frame, in the order of the frames.

    Args:
        dataset: With the functional groups.
        values: What holds for the whole file.
        path: What messages begin with.
        plain: Gives the value of a keyword of a dataset as Python's own type, or None.

    Raises:
        ImageError: The groups are not those of as many frames as the file says.
    """
    groups, count = list(dataset[_EACH].value or []), plain(dataset, "NumberOfFrames")
    if count != len(groups):
        raise ImageError(
            f"{path}: says that it has {count} frames, and describes {len(groups)}; export it again"
        )
    shared = next(iter(dataset.get(_SHARED) or []), None)
    whole = {**values, **_of_the_sequence(dataset, plain)}
    for number, group in enumerate(groups):
        found = {name: _found(name, group, shared, plain) for name in _OF_A_FRAME}
        if isinstance(found["InversionTime"], list):
            found["InversionTime"] = found["InversionTime"][0]
        frame = {name: value for name, value in found.items() if value not in (None, "", [])}
        if part := _PARTS.get(
            str(_value(group, shared, "MRImageFrameTypeSequence", "ComplexImageComponent", plain))
        ):
            frame["ImageType"] = [*_listed(frame.get("ImageType", whole.get("ImageType", []))), part]
        yield {**whole, **frame, FRAME: number}


def _found(name: str, group: Any, shared: Any, plain: Any) -> Any:
    return _value(group, shared, *_OF_A_FRAME[name], plain)


def _value(group: Any, shared: Any, sequence: str, keyword: str, plain: Any) -> Any:
    """A value of a frame's own group, or else of the shared one."""
    for holder in (group, shared):
        items = None if holder is None else holder.get(sequence)
        if items and (value := plain(items[0], keyword)) not in (None, "", []):
            return value
    return None


def _of_the_sequence(dataset: Any, plain: Any) -> dict[str, Any]:
    """Kind of echo and contrast agent, which enhanced files say in other words."""
    values: dict[str, Any] = {}
    echo = plain(dataset, "EchoPulseSequence")
    kinds = {"GRADIENT": ["GR"], "SPIN": ["SE"], "BOTH": ["GR", "SE"]}.get(str(echo), [])
    if plain(dataset, "EchoPlanarPulseSequence") == "YES":
        kinds = [*kinds, "EP"]
    if kinds:
        values["ScanningSequence"] = kinds
    if agents := dataset.get(_AGENT):
        values["ContrastBolusAgent"] = plain(agents[0], "CodeMeaning") or "given"
    return values


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
