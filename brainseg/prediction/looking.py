"""The contrast of scans, measured once each, for identify=content."""

import logging

from brainseg.config import PredictConfig
from brainseg.config.choices import Identify
from brainseg.config.errors import GeometryError, ImageError
from brainseg.images.by_content import Look
from brainseg.images.source import Source, read
from brainseg.images.volume import Volume

log = logging.getLogger("brainseg")


class Contrasts:
    """Looks into scans and keeps what it saw."""

    def __init__(self) -> None:
        self._seen: dict[Source, Look] = {}

    def look(self, source: Source) -> Look:
        """What a scan looks like; nothing where it cannot be read."""
        if source not in self._seen:
            self._seen[source] = self._looked(source)
        return self._seen[source]

    def is_brighter(self, one: Source, other: Source) -> bool | None:
        """Whether the first of two T1-like scans of a head has contrast agent; None if nobody can tell."""
        from brainseg.gates.content import brighter
        from brainseg.prediction.scans import brain_if_stripped

        first, second = _upright(one), _upright(other)
        return brighter(first, second, brain_if_stripped(first))

    def _looked(self, source: Source) -> Look:
        from brainseg.gates.content import contrast_of  # loads torch, so only where it is asked for
        from brainseg.prediction.scans import brain_if_stripped

        try:
            volume = _upright(source)
        except (ImageError, GeometryError) as error:
            return Look(None, f"it cannot be read ({error})")
        found = contrast_of(volume, brain_if_stripped(volume))
        log.info("%s: looks like %s: %s", source, found.looks_like or "nothing sure", found.in_words)
        return Look(found.looks_like, found.in_words)


def looker_of(options: PredictConfig) -> Contrasts | None:
    """Who looks into scans; nobody where names are to say all."""
    return Contrasts() if options.identify is Identify.content else None


def _upright(source: Source) -> Volume:
    """A scan, whatever its gantry's tilt."""
    return read(source, upright=source.series is not None)
