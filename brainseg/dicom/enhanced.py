"""The frames of enhanced multi-frame files, each with a header as a file of one slice has it.

What is made of them must name the file and the number of a frame, where it names a file of one slice (DICOM
PS3.3, table 10-3). highdicom knows one such file at a time, all of whose frames it takes; a series may have
several, or some of their frames. So it is given a header for each frame under a UID that stands in for the
frame, and `refer_to_frames` then puts file and number in the place of that.
"""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg.images.dicom_frames import FRAME
from brainseg.images.dicom_header import read_headers

_OF_A_FRAME = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
_OF_ALL_FRAMES = (
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames"),
    *("DimensionIndexSequence", "DimensionOrganizationSequence"),
)


@dataclass(frozen=True)
class Frame:
    """A frame, as other objects refer to it.

    Attributes:
        sop_class: Of its file.
        instance: The file's SOPInstanceUID.
        number: From 1; None for a file of one slice.
    """

    sop_class: str
    instance: str
    number: int | None = None


def frame_of(header: Any) -> Frame:
    """What refers to a file of one slice."""
    return Frame(str(header.SOPClassUID), str(header.SOPInstanceUID))


def header_of_each_frame(
    path: Path, header: Any, wanted: Collection[tuple[Path, int]]
) -> Iterator[tuple[Any, Frame]]:
    """A header for each frame of an enhanced file, and what refers to it.

    Args:
        path: The file.
        header: Its header (pydicom.Dataset without pixels).
        wanted: The frames that are used, from 0; none: all.
    """
    from pydicom import Dataset
    from pydicom.uid import MRImageStorage, generate_uid

    whole = Dataset()
    whole.update({element.tag: element for element in header if element.keyword not in _OF_ALL_FRAMES})
    whole = deepcopy(whole)
    whole.SOPClassUID = MRImageStorage
    for values in read_headers(path, _OF_A_FRAME):
        number = values[FRAME]
        if wanted and (path, number) not in wanted:
            continue
        frame = Frame(str(header.SOPClassUID), str(header.SOPInstanceUID), number + 1)
        one = deepcopy(whole)
        one.SOPInstanceUID = generate_uid(entropy_srcs=[frame.instance, str(frame.number)])
        one.InstanceNumber = frame.number
        for name in _OF_A_FRAME:
            if name in values:
                setattr(one, name, _as_text(values[name]))
        yield one, frame


def references_to(frames: Iterable[Frame]) -> list[Any]:
    """An item for each file, with the numbers of its frames, for a sequence of source images."""
    from pydicom import Dataset

    numbers: dict[tuple[str, str], list[int]] = {}
    for frame in frames:
        known = numbers.setdefault((frame.sop_class, frame.instance), [])
        known += [] if frame.number is None else [frame.number]
    items = []
    for (sop_class, instance), several in numbers.items():
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        if several:
            item.ReferencedFrameNumber = sorted(several)
        items.append(item)
    return items


def refer_to_frames(made: Any, frames: Mapping[str, Frame]) -> None:
    """Put files and numbers of frames where an object names the stand-ins of the frames.

    Args:
        made: From highdicom, with the sequences in which it refers to its source.
        frames: By the UID that stands in for each.
    """
    made.SourceImageSequence = references_to(_named(made.SourceImageSequence, frames))
    for series in made.ReferencedSeriesSequence:
        files = {
            Frame(one.sop_class, one.instance) for one in _named(series.ReferencedInstanceSequence, frames)
        }
        series.ReferencedInstanceSequence = references_to(sorted(files, key=lambda one: one.instance))
    for group in made.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for item in derivation.SourceImageSequence:
                frame = frames[str(item.ReferencedSOPInstanceUID)]
                item.ReferencedSOPClassUID = frame.sop_class
                item.ReferencedSOPInstanceUID = frame.instance
                if frame.number is not None:
                    item.ReferencedFrameNumber = frame.number


def _named(items: Sequence[Any], frames: Mapping[str, Frame]) -> list[Frame]:
    return [frames[str(item.ReferencedSOPInstanceUID)] for item in items]


def _as_text(value: Any) -> Any:
    """Numbers as DICOM's decimal text, of at most 16 characters."""
    return [_as_text(one) for one in value] if isinstance(value, list) else f"{float(value):.9g}"
