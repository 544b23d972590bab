"""Other names for patients, in the one place that all writers ask: the terminal, logs, results and pages.

With names=keep nothing is changed. Else a subject gets another id before anything is written, and `hide`
takes out of a text what would tell who it is:

| what                                         | becomes                                             |
| -------------------------------------------- | --------------------------------------------------- |
| the input's path, and any path below it      | `input`, `input/2/17.dcm`: the places of the names  |
|                                              | among their siblings in order                       |
| the name of a file or folder below the input | the same, without folders                           |
| names, ids and dates of headers              | `hidden`                                            |
| a DICOM UID                                  | `UID`                                               |

A hash is made slowly (scrypt), but whoever has a list of all ids can still try them one by one; a table that
stays with you gives nothing away.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

KEEP, HASH = "keep", "hash"
_WORD = re.compile(r"[^\W_]+")
_UID = re.compile(r"(?<![\w.])\d+(?:\.\d+){5,}(?![\w.])")
_TOKEN = re.compile(r"[^\s'\"(),;:/\\]+")
# Names of folders that tell nothing, and that messages use as words.
_ORDINARY = {
    *("t1", "t1ce", "t2", "flair", "anat", "brain", "mask", "head", "series", "scan", "scans"),
    "dicom",
}
_LEAST = 3  # letters of a name that is hidden; shorter ones are parts of ordinary words


class Names:
    """How the names of one command are written.

    Args:
        table: New id by old one; None: hashes.
        root: The input, which messages name by its absolute path; what lies below it is named by places.
    """

    def __init__(self, table: Mapping[str, str] | None, root: Path) -> None:
        self._table = table
        self._roots = sorted({os.path.abspath(root), os.path.realpath(root)}, key=len, reverse=True)
        self._places: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._secrets: dict[str, set[str]] = {}
        self._learn_places(Path(os.path.abspath(root)))
        self._lengths = sorted({len(place) for place in self._places}, reverse=True)
        self._spaced = sorted(
            (one for one in self._files if not _TOKEN.fullmatch(one)), key=len, reverse=True
        )

    def of(self, identity: str) -> str:
        """The id that is written for a subject; a hash where the table has none."""
        return (self._table or {}).get(identity) or hashed(identity)

    def unknown(self, ids: Iterable[str]) -> int:
        """How many ids the table lacks."""
        return 0 if self._table is None else sum(one not in self._table for one in ids)

    def learn(self, *secrets: object) -> None:
        """Hide these from now on: whole, and each name within."""
        for secret in secrets:
            text = str(secret).strip()
            parts = [text, *re.split(r"[\^=\s,]+", text)]
            if re.fullmatch(r"\d{8}", text):
                parts += [f"{text[:4]}-{text[4:6]}-{text[6:]}", f"{text[:4]}.{text[4:6]}.{text[6:]}"]
            for part in filter(_is_telling, parts):
                for word in _WORD.findall(part):
                    self._secrets.setdefault(word.casefold(), set()).add(part)

    def hide(self, text: str) -> str:
        """The text without what tells who a subject is."""
        for root in self._roots:
            text = self._without_paths(text, root)
        for name in self._spaced:
            text = text.replace(name, self._files[name])
        text = _TOKEN.sub(lambda found: self._files.get(found.group(), found.group()), _UID.sub("UID", text))
        words = {word.casefold() for word in _WORD.findall(text)}
        found = set().union(*(self._secrets.get(word, ()) for word in words))
        if not found:
            return text
        several = "|".join(re.escape(one) for one in sorted(found, key=len, reverse=True))
        return re.sub(rf"(?<![^\W_])(?:{several})(?![^\W_])", "hidden", text, flags=re.IGNORECASE)

    def _without_paths(self, text: str, root: str) -> str:
        done, at = "", text.find(root)
        while at >= 0:
            rest = text[at + len(root) :]
            ends = rest[:1] in ("", "/", os.sep) or not rest[0].isalnum()
            places = (rest[:length] for length in self._lengths if rest[:length] in self._places)
            known = next(places, "") if ends else ""
            done += text[:at] + ("input" + self._places.get(known, "") if ends else root)
            text = rest[len(known) :]
            at = text.find(root)
        return done + text

    def _learn_places(self, root: Path) -> None:
        if not root.is_dir():
            self._files[root.name] = f"input{suffix_of(root.name)}"
            return
        aliases = {str(root): ""}
        for parent, folders, files in os.walk(root, followlinks=False):
            folders.sort()
            for k, name in enumerate(sorted([*folders, *files]), start=1):
                path = os.path.join(parent, name)
                alias = f"{k}{suffix_of(name) if name in files else ''}"
                aliases[path] = f"{aliases[parent]}/{alias}"
                self._places[path[len(str(root)) :]] = aliases[path]
                if name.casefold() not in _ORDINARY:
                    self._files[name] = alias


def suffix_of(name: str) -> str:
    """The ending of a scan's name, which tells its format and nothing else."""
    found = re.search(
        r"\.(?:nii|hdr|img|dcm|ima|nrrd|mha)?(?:\.gz)?$|\.(?:nii|hdr|img|dcm|ima|nrrd|mha|json)$", name, re.I
    )
    return found.group().lower() if found else ""


def _is_telling(part: str) -> bool:
    """Whether hiding it takes nothing else away: no short word, and no small number."""
    has_digit, has_letter = (any(test(sign) for sign in part) for test in (str.isdigit, str.isalpha))
    return len(part) >= 2 and ((has_digit and has_letter) or len(part) >= (4 if has_digit else _LEAST))


@lru_cache(maxsize=100_000)
def hashed(identity: str) -> str:
    """A name by the hash of an id, the same at each run."""
    text = identity.encode(errors="surrogateescape")  # a name on the disk may be no text
    return "p" + hashlib.scrypt(text, salt=b"brainseg", n=2**12, r=8, p=1, dklen=6).hex()


_current: Names | None = None


@contextmanager
def named(names: Names | None) -> Iterator[None]:
    """Within it all writers use these names; None: those that there are."""
    global _current
    before, _current = _current, names
    try:
        yield
    finally:
        _current = before


def current() -> Names | None:
    return _current


def hide(text: str) -> str:
    """The text as it may be written."""
    return text if _current is None else _current.hide(text)


def name_of(identity: str) -> str:
    """A subject's id as it may be written."""
    return identity if _current is None else _current.of(identity)
