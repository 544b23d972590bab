"""What dcm2niix writes beside a NIfTI file: X.json with values of the DICOM headers that X was made from.

The rules that name a sequence are those for DICOM, `dicom_naming`. Times are in seconds there, as in BIDS.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg.config.errors import UnreadableError
from brainseg.files.plain import read_json
from brainseg.images import nifti
from brainseg.images.dicom_naming import Named, named

_TEXTS = ("SeriesDescription", "ProtocolName", "ImageType", "ScanningSequence", "ContrastBolusAgent")
_TIMES = ("EchoTime", "RepetitionTime", "InversionTime")
_AGENT = "ContrastBolusIngredient"  # BIDS's name
# What a scan of a good name may be made as, which contradicts no name.
_OF_A_SCAN = ("a reformat", "a projection or reformat", "a part of MP2RAGE", "not a magnitude image")


@dataclass(frozen=True)
class Sidecar:
    """A sidecar, and what it says of the sequence.

    Attributes:
        path: Of the .json.
        named: By the words and times in it.
        texts: What the protocol and the series are called, which dcm2niix puts into the file's name.
    """

    path: Path
    named: Named
    texts: tuple[str, ...]


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of a NIfTI file would lie."""
    return path.with_name(f"{nifti.stem(path)}.json")


def sidecar_of(path: Path) -> Sidecar | None:
    """The sidecar of a NIfTI file; None where there is none, or none that says anything of a sequence."""
    beside = sidecar_path(path)
    try:
        values = read_json(beside)
    except (OSError, UnreadableError):
        return None
    if not isinstance(values, dict):
        return None
    header = header_of(values)
    if not header:
        return None
    if (modality := values.get("Modality", "MR")) != "MR":
        return Sidecar(beside, Named(None, f"is {modality}, not MR", is_other=True), ())
    texts = (values.get("ProtocolName"), values.get("SeriesDescription"))
    return Sidecar(beside, named(header), tuple(text for text in texts if isinstance(text, str) and text))


def contradiction(path: Path, sequence: str) -> str:
    """What the sidecar says against the sequence that a name says, in a sentence; nothing if it does not.

    Where only the agent is in doubt, it speaks if it names one and the file's name does not.
    """
    sidecar = sidecar_of(path)
    if sidecar is None:
        return ""
    said = sidecar.named.sequence
    if sidecar.named.is_other:
        what = sidecar.named.remark.removeprefix("is ")
        if what.startswith(_OF_A_SCAN):
            return ""
    elif said is None or sidecar.named.remark:
        return ""
    else:
        is_t1 = said in ("t1", "t1ce")
        if is_t1 == (sequence in ("t1", "t1ce")) and (said, sequence) != ("t1ce", "t1"):
            return ""
        what = said
    return (
        f"{path.name} is the {sequence} by its name, and {what} by {sidecar.path.name}; its name was "
        "believed, so correct the one that is wrong"
    )


def header_of(values: dict[str, Any]) -> dict[str, Any]:
    """The values by DICOM keyword, times in ms; what is of another type is left out."""
    header = {name: values[name] for name in _TEXTS if isinstance(values.get(name), str | list)}
    if "ContrastBolusAgent" not in header and isinstance(values.get(_AGENT), str):
        header["ContrastBolusAgent"] = values[_AGENT]
    for name in _TIMES:
        value = values.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            header[name] = 1000.0 * value
    return header


def as_in_names(text: str) -> str:
    """A protocol's name as dcm2niix writes it into the name of a file."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("_")
