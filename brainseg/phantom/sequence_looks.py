"""How bright each part of a head with a glioma is in each sequence, drawn anew for each painting.

Ranges are wider than those of `phantom.contrast`: weak contrast in T1, cores of any darkness, enhancement
from faint to strong.
"""

from brainseg.phantom.contrast import realistic_look
from brainseg.phantom.scanners import Random

Means = dict[str, float]
OWN_T1CE_SHARE = 0.35  # of the T1ce were taken with other settings than the T1
MISMATCH_SHARE = 0.25  # of the cores are darker than brain in FLAIR
JITTER = 0.12  # of the logarithm of the means of what lies around the brain
# Parts that a contrast agent brightens, and by how much of white matter's brightness.
_GADOLINIUM = {
    "enhancing": (0.12, 1.3), "vessel": (0.1, 2.0), "dura": (0.05, 1.0), "mucosa": (0.2, 0.9),
    "pituitary": (0.2, 0.7), "plexus": (0.1, 0.9), "core": (0.0, 0.08), "infiltration": (0.0, 0.04),
}  # fmt: skip


def drawn_looks(rng: Random) -> dict[str, Means]:
    """The mean of each part by sequence; T1ce is the T1 with a contrast agent, or one of other settings."""
    t1 = _t1(rng)
    before = _t1(rng) if rng.random() < OWN_T1CE_SHARE else t1
    uptake = {part: float(rng.uniform(*extent)) for part, extent in _GADOLINIUM.items()}
    t1ce = {part: mean + uptake.get(part, 0.0) for part, mean in before.items()}
    return {"t1": t1, "t1ce": t1ce, "t2": _t2(rng), "flair": _flair(rng)}


def _around(sequence: str, rng: Random) -> Means:
    """The parts of the head around the brain."""
    means = realistic_look(int(rng.integers(2**62)), sequence, "glioma").means
    return {part: mean * float(2.718 ** rng.normal(0, JITTER)) for part, mean in means.items()}


def _t1(rng: Random) -> Means:
    u = rng.uniform
    gray = u(0.6, 0.97)
    fluid = gray * u(0.15, 0.6)
    brain = (1 + gray) / 2
    return _around("t1", rng) | {
        "white": 1.0, "gray": gray, "csf": fluid, "plexus": gray, "lesion": u(0.65, 0.98),
        "core": max(u(0.4, 1.0) * gray, fluid), "infiltration": u(0.58, 1.0) * brain,
        "enhancing": u(0.7, 1.08) * gray, "blood": u(0.9, 1.9), "lime": u(0.1, 0.9), "vessel": u(0.2, 0.6),
    }  # fmt: skip


def _t2(rng: Random) -> Means:
    u = rng.uniform
    white = 0.4
    gray = white * u(1.05, 1.8)
    fluid = gray * u(1.4, 2.6)
    return _around("t2", rng) | {
        "white": white, "gray": gray, "csf": fluid, "plexus": gray, "lesion": gray * u(1.1, 1.7),
        "core": min(gray * u(1.1, 2.4), 1.05 * fluid), "infiltration": min(gray * u(1.12, 2.1), 1.05 * fluid),
        "enhancing": gray * u(0.9, 1.8), "blood": u(0.1, 0.8), "lime": u(0.05, 0.3), "vessel": u(0.05, 0.3),
    }  # fmt: skip


def _flair(rng: Random) -> Means:
    u = rng.uniform
    core = u(0.3, 1.05) if rng.random() < MISMATCH_SHARE else u(1.0, 2.2)
    return _around("flair", rng) | {
        "white": u(0.62, 1.02), "gray": 1.0, "csf": u(0.05, 0.5), "plexus": 1.0, "lesion": u(1.1, 1.8),
        "core": core, "infiltration": u(1.06, 2.1), "enhancing": u(0.85, 1.9), "blood": u(0.3, 1.6),
        "lime": u(0.1, 0.7), "vessel": u(0.1, 0.9),
    }  # fmt: skip
