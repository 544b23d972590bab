"""Scans in two files, `X.hdr` with the header and `X.img` with the voxels: NIfTI pairs, and Analyze 7.5."""

from pathlib import Path

HEADERS, VOXELS = (".hdr", ".hdr.gz"), (".img", ".img.gz")


def is_pair(path: Path) -> bool:
    """Whether the name says that header and voxels are two files; nothing is opened."""
    return path.name.lower().endswith((*HEADERS, *VOXELS))


def parts_of(path: Path) -> tuple[Path, Path]:
    """The files with the header and with the voxels: one and the same but in a pair.

    The one that is not named may be packed or not, and is looked for.
    """
    if not is_pair(path):
        return path, path
    named = next(end for end in (*HEADERS, *VOXELS) if path.name.lower().endswith(end))
    stem, upper = path.name[: -len(named)], path.name.endswith(named.upper())
    wanted = VOXELS if named in HEADERS else HEADERS
    wanted = wanted[::-1] if named.endswith(".gz") else wanted
    others = [path.with_name(stem + (end.upper() if upper else end)) for end in wanted]
    other = next((one for one in others if one.exists()), others[0])
    return (path, other) if named in HEADERS else (other, path)
