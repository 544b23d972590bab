"""What a prediction will take, said before it starts: one timed pass of each network, and a formula.

The seconds beside the networks, the memory and the disk space are straight lines through what phantoms of 1
to 3 mm took on a computer of two cores with nothing else to do. For such phantoms the forecast was 1.0 to 1.8
times the seconds, 0.9 to 1.5 times the memory and 0.8 to 1.2 times the disk space that the prediction then
took (benchmarks/forecast.py), so it says "within a factor of two". The constants in seconds are those of that
computer: they are wrong on one that is much faster or slower.
"""

from dataclasses import dataclass

from brainseg.config.choices import Register, Stage
from brainseg.images.layouts import Subject
from brainseg.images.source import read
from brainseg.prediction.job import Job
from brainseg.prediction.meter import Meter
from brainseg.prediction.network_time import sizes_of
from brainseg.reporting.viewer import VOXELS, niivue

ALWAYS_S = 0.2
REGISTER_S = 4.0  # each sequence that is moved; registration looks at coarse images, whatever the scan's size
JUDGE_S = 1.5
DRAW_S = 1.0
S_PER_MVOXEL = 0.2  # of all sequences: resampling, judging, writing and drawing
LIBRARIES_MB = 400.0  # that are loaded, and kept, while gates are judged and pictures are drawn
MB_PER_MVOXEL = 20.0
STRIPPED_MB_PER_MVOXEL = 0.35
PROBABILITIES_MB_PER_MVOXEL = 4.0  # of the reference
PICTURES_MB = 1.3
PAGE_MB_PER_MVOXEL = 0.47
BASE64 = 4 / 3


@dataclass(frozen=True)
class Forecast:
    """What one subject will take."""

    seconds: float
    memory_mb: float  # the most that the process will hold, with Python and its libraries
    disk_mb: float


def forecast(subject: Subject, job: Job) -> Forecast:
    """What `predict_subject` will take for this subject, with these models, on this machine as it is now.

    Raises:
        UserError: The subject cannot be used.
    """
    options, meter = job.options, Meter()
    moves = options.pipeline.register is Register.rigid
    with meter.measure("read"):
        volumes = {name: read(source) for name, source in subject.images.items()}
        sizes = sizes_of(volumes, registered=moves)
    with meter.measure("networks"):
        work = [one for stage in job.stages for one in stage.work(sizes, options.gates)]
        networks_s = sum(one.seconds() for one in work)
    mvoxels = sum(volume.data.size for volume in volumes.values()) / 1e6
    seconds = ALWAYS_S + meter.seconds["read"] + networks_s + S_PER_MVOXEL * mvoxels
    seconds += REGISTER_S * (len(volumes) - 1) if moves else 0
    seconds += JUDGE_S if options.gates is not None else 0
    seconds += DRAW_S if options.montage or options.page else 0
    memory_mb = max(meter.peak_mb.values()) + LIBRARIES_MB + MB_PER_MVOXEL * mvoxels
    return Forecast(seconds, memory_mb, _disk_mb(job, mvoxels, len(volumes), stripped=sizes.came_stripped))


def _disk_mb(job: Job, mvoxels: float, sequences: int, *, stripped: bool) -> float:
    options, script = job.options, niivue()
    pictures_mb = PICTURES_MB if options.montage else 0.0
    strips = not stripped and any(s.name is Stage.strip and s.is_given for s in job.stages)
    mb = pictures_mb + (STRIPPED_MB_PER_MVOXEL * mvoxels if strips else 0)
    mb += PROBABILITIES_MB_PER_MVOXEL * mvoxels / sequences if options.save_probabilities else 0
    if options.page:
        script_mb = len(script.packed) / 1e6 if script else 0.0
        mb += script_mb + pictures_mb * BASE64 + PAGE_MB_PER_MVOXEL * min(mvoxels, VOXELS / 1e6)
    return mb
