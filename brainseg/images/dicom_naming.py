"""Which sequence a DICOM series is, by its headers.

The words of `SeriesDescription` go first, then those of `ProtocolName`, then the times of the sequence.
Contrast agent makes a t1 a t1ce where the words say so, or else `ContrastBolusAgent`.

| name  | words                                 | times, ms, where words say nothing                     |
| ----- | ------------------------------------- | ------------------------------------------------------ |
| t1    | t1..., mprage, bravo, spgr, tfe, vibe | TE < 35 with TR < 1200 or TI of 300 to 1500;           |
|       |                                       | gradient echo without inversion: TE < 10 with TR < 50  |
| t2    | t2..., but no flair and no t2*        | TE > 60 with TR > 2000, no inversion                   |
| flair | flair, dark fluid, t2f                | TE > 60 with TI > 1500                                 |

"T1 FLAIR" is one or the other by its inversion time, and a "t2" with TI > 1500 ms is a flair.
"mprage" and the like say nothing of contrast agent:
where no header names one either, the series is a t1 of which it is unsaid. Maps, diffusion, angiography,
localisers, reformats and the like are known by their words, by `ImageType` and by tags of their own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Header = Mapping[str, Any]  # by DICOM keyword

HEADER = (
    *("SeriesDescription", "ProtocolName", "ImageType", "ScanningSequence", "EchoTime", "RepetitionTime"),
    *("InversionTime", "ContrastBolusAgent", "DiffusionBValue", "AngioFlag"),
)
FLAIR_TI_MS = 1500.0  # fluid is nulled at 1650 ms and above, white matter below 1000


def _by_word(meanings: Mapping[str, str]) -> dict[str, str]:
    """Meaning of each word; an underscore stands for a space within one."""
    return {word.replace("_", " "): what for what, words in meanings.items() for word in words.split()}


_SAYS = _by_word(
    {
        "agent": "ce gd gad gado gadolinium gadovist dotarem magnevist prohance multihance contrast kontrast "
        "kontrastmittel km post postcontrast postgd postgad enhanced",
        "native": "pre precontrast pregd nativ native noncontrast nocontrast unenhanced plain",
        "not": "without no non ohne wo sans sin vor before",
        "with": "with w mit and",
    }
)
# After "post" and "pre" these speak of a time or a place, not of contrast agent.
_NOT_AGENT = {"op", "surgery", "operative", "rt", "radiation", "treatment", "biopsy", "fossa", "chemo"}
_NO_AGENT = {"no", "none", "non", "n", "na", "n/a", "0", "without", "nil", "ohne", "keine", "not applicable"}
_T1_TECHNIQUES = {
    "mprage",
    "rage",
    "bravo",
    "spgr",
    "fspgr",
    "irspgr",
    "tfl",
    "tfe",
    "vibe",
    "thrive",
    "lava",
}
_WEIGHTED = re.compile(r"^(?:ax|axial|sag|cor|tra)?(?:[23]d)?[es]?t([12])(?!\d)[wn]?(.*)$")
_OTHER_WORDS = _by_word(
    {
        "a localiser": "localizer localiser loc scout survey 3plane smartbrain",
        "a calibration": "calibration cal shim",
        "diffusion": "dwi dti diff diffusion trace tracew b1000 hardi adc eadc fa colfa tensor",
        "a T2*-weighted image": "swi swan t2star hemo venobold minip qsm",
        "a phase image or field map": "phase pha fieldmap b0map b1map",
        "perfusion": "perf perfusion dsc dce asl cbf cbv mtt ttp tmax",
        "an echo-planar series": "bold fmri resting ep2d epi",
        "angiography": "tof mra mrv angio venogram pca",
        "spectroscopy": "mrs csi svs spectro spectroscopy",
        "a projection or reformat": "mip reformat reformatted rfmt",
        "a difference of images": "sub subtraction subtracted",
        "a map": "map t1map t2map t1rho relaxometry",
        "a part of MP2RAGE": "mp2rage inv1 inv2",
        "none of the four sequences": "ciss fiesta stir",
        "of the spine": "spine cspine cervical lumbar thoracic",
        "a screen capture": "screenshot screensave capture captures secondary report",
        "a drawing of another program": "roi rois overlay overlays contour contours annotation annotations "
        "keyimage keyimages segmentation",
    }
)
_OTHER_TYPES = _by_word(
    {
        "a localiser": "LOCALIZER SCOUT",
        "a projection": "MIP MINIP PROJECTION_IMAGE",
        "a reformat": "MPR REFORMATTED CSA_MPR RESAMPLED",
        "diffusion": "ADC EADC FA TRACEW TENSOR DIFFUSION",
        "a T2*-weighted image": "SWI",
        "not a magnitude image": "P PHASE PHASE_MAP R REAL I IMAGINARY",
        "a difference of images": "SUBTRACTION SUB",
        "perfusion": "PERFUSION CBF CBV RCBV MTT TTP ASL",
        "a map": "T1_MAP T2_MAP",
        "a phase image or field map": "FIELD_MAP B0_MAP",
        "a mosaic of many slices": "MOSAIC",
        "a screen capture": "CSA_REPORT SCREEN_SAVE SCREEN_CAPTURE",
    }
)


@dataclass(frozen=True)
class Named:
    """What the headers of a series say.

    Attributes:
        sequence: None where they do not say it.
        remark: Then the reason; else what was supposed, if anything.
        is_other: It is known to be something else.
        agent_unsaid: It is a t1 only in so far as nothing speaks of contrast agent.
        by_content: The sequence was told by its contrast, as the headers do not say it.
    """

    sequence: str | None
    remark: str = ""
    is_other: bool = False
    agent_unsaid: bool = False
    by_content: bool = False


def named(header: Header) -> Named:
    """The sequence that a header speaks of, by words and then by times.

    Args:
        header: Values by DICOM keyword, of one slice.
    """
    texts = [str(header.get(name, "")) for name in ("SeriesDescription", "ProtocolName")]
    texts = [text for text in texts if text.strip()]
    if other := _other(header, texts[0] if texts else ""):
        return Named(None, f"is {other}", is_other=True)
    said = _words(texts[0]) if texts else []
    for text in texts:
        words = _words(text)
        weighting = _weighting(words, header)
        if weighting == "t1":
            return _with_agent([*said, *words], header)
        if weighting == "t2" and _number(header, "InversionTime", 0) > FLAIR_TI_MS:
            ti = f"TI {_number(header, 'InversionTime', 0):g} ms"
            return Named("flair", f"was taken as flair by its inversion time ({ti}), not t2 by its words")
        if weighting is not None:
            return Named(weighting)
    return _by_times(said, header)


def _other(header: Header, text: str) -> str | None:
    """What else than one of the four sequences it is."""
    for kind in image_type(header)[2:]:
        if what := _OTHER_TYPES.get(kind.replace("_", " ")):
            return f"{what} (ImageType {kind})"
    if (b := _number(header, "DiffusionBValue", 0)) > 0:
        return f"diffusion (b = {b:g})"
    if str(header.get("AngioFlag", "")).upper() == "Y":
        return "angiography"
    words = _words(text)
    found = next((_OTHER_WORDS[word] for word in words if word in _OTHER_WORDS), None)
    if found is None and "t2" in words and "gre" in words:
        found = "a T2*-weighted image"
    if found is None and {"pd", "proton"} & set(words) and _number(header, "EchoTime", 0) < 60:
        found = "a proton-density image"
    return found


def _words(text: str) -> list[str]:
    """In lower case, with the signs that mean something spelt out."""
    text = text.lower().replace("w/o", " without ").replace("w/", " with ")
    text = re.sub(r"t2w?[\W_]*(?:\*|star(?![a-z]))", " t2star ", text)
    text = re.sub(r"\+\s?c(?![a-z0-9])|(?<![a-z0-9])c\s?\+", " contrast ", text)
    text = re.sub(r"\s-c(?![a-z0-9])", " precontrast ", text)
    text = re.sub(r"dark[\W_]*fluid", " flair ", text)
    return re.findall(r"[a-z0-9]+", text)


def _weighting(words: list[str], header: Header) -> str | None:
    said = {f"t{match[1]}" for word in words if (match := _WEIGHTED.match(word))}
    if any("flair" in word or word == "t2f" for word in words):
        if "t1" not in said:
            return "flair"
        ti = _number(header, "InversionTime", 0)
        return None if ti == 0 else "t1" if ti < FLAIR_TI_MS else "flair"
    if not said and _T1_TECHNIQUES & set(words):
        return "t1"
    return said.pop() if len(said) == 1 else None


def _with_agent(words: list[str], header: Header) -> Named:
    agent, native = _agent_in(words)
    if agent and native:
        return Named(None, "speaks of contrast agent both ways")
    if agent or native:
        return Named("t1ce" if agent else "t1")
    if has_agent(header):
        return Named("t1ce")
    return Named("t1", agent_unsaid=not any(_WEIGHTED.match(word) for word in words))


def _agent_in(words: list[str]) -> tuple[bool, bool]:
    """Whether the words say that agent was given, and whether they say that it was not."""
    says = [_said_of_agent(word) for word in words]
    agent = native = False
    for k, (word, said) in enumerate(zip(words, says, strict=True)):
        before = says[k - 1] if k else ""
        after = says[k + 1] if k + 1 < len(words) else ""
        if k + 1 < len(words) and words[k + 1] in _NOT_AGENT:
            continue
        if said == "not" and (after == "agent" or word in {"wo", "without"}):
            native = True
            agent = agent or before == "with"  # "with and without contrast"
        elif said == "agent":
            agent = agent or before not in ("not", "native")  # "pre contrast"
        elif word == "c" and k and _WEIGHTED.match(words[k - 1]):
            agent = True
        elif said == "native":
            native = True
    return agent, native


def says_weighting(word: str) -> bool:
    """Whether a word alone, in lower case, speaks of a weighting or of a technique that has one."""
    return bool(_WEIGHTED.match(word)) or "flair" in word or word == "t2f" or word in _T1_TECHNIQUES


def _said_of_agent(word: str) -> str:
    """One of "agent", "native", "not", "with"; nothing if it says nothing. "t1ce" says it too."""
    weighted = _WEIGHTED.match(word)
    ending = weighted[2] if weighted else word
    return "agent" if weighted and ending == "c" else _SAYS.get(ending, "")


def has_agent(header: Header) -> bool:
    said = str(header.get("ContrastBolusAgent", "")).strip().lower()
    return bool(said) and said not in _NO_AGENT and not said.startswith("no ")


def _by_times(words: list[str], header: Header) -> Named:
    te, tr, ti = (_number(header, name, 0) for name in ("EchoTime", "RepetitionTime", "InversionTime"))
    kinds = header.get("ScanningSequence", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    said = f"TR {tr:g}, TE {te:g}" + (f", TI {ti:g}" if ti else "") + " ms"
    found = None
    if te and tr and "EP" not in kinds:
        if ti > FLAIR_TI_MS and te > 60:
            found = "flair"
        elif 300 < ti < FLAIR_TI_MS and te < 35:
            found = "t1"
        elif "GR" in kinds:
            found = "t1" if te < 10 and tr < 50 else None
        elif tr < 1200 and te < 35:
            found = "t1"
        elif tr > 2000 and te > 60 and not ti:
            found = "t2"
    if found is None:
        return Named(None, f"does not say which sequence it is ({said})")
    by_agent = _with_agent(words, header) if found == "t1" else Named(found)
    if by_agent.sequence is None:
        return by_agent
    return replace(by_agent, remark=f"was taken as {by_agent.sequence} by its times alone ({said})")


def _number(header: Header, keyword: str, absent: float) -> float:
    value = header.get(keyword, absent)
    return float(value) if isinstance(value, int | float) else absent


def image_type(header: Header) -> list[str]:
    kinds = header.get("ImageType", [])
    return [str(kind).strip().upper() for kind in ([kinds] if isinstance(kinds, str) else kinds)]
