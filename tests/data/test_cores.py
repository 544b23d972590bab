"""The processes of one training share the cores of their machine out among their loaders."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hydra import compose, initialize_config_dir

from brainseg.config import conf_dir, register_schemas
from brainseg.data import composed_data
from brainseg.data.loading import worker_count
from brainseg.system import device


@pytest.fixture
def machine(monkeypatch):
    """A machine of so many cores with so many processes of a training, and its environment."""

    def _machine(cores, processes, **given):
        monkeypatch.setattr(device, "threads", lambda: cores)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
        monkeypatch.setattr(dist, "is_initialized", lambda: True)
        monkeypatch.setattr(dist, "get_world_size", lambda: processes)
        for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK"):
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, str(value))

    return _machine


@pytest.mark.parametrize(
    ("cores", "processes", "given", "workers"),
    [
        (16, 1, {}, 8),
        (16, 2, {}, 7),
        (16, 4, {}, 3),
        (16, 8, {}, 1),  # two cores each: one computes
        (2, 4, {}, 0),
        (16, 8, {"LOCAL_WORLD_SIZE": 4}, 3),  # two machines
        (16, 8, {"SLURM_NTASKS_PER_NODE": 4}, 3),
        (6, 4, {"SLURM_CPUS_PER_TASK": 6}, 5),  # each task has cores of its own already
    ],
)
def test_loader_processes_by_cores_and_processes(machine, cores, processes, given, workers):
    machine(cores, processes, **given)
    assert worker_count("auto") == workers
    assert worker_count(5) == 5  # what was asked for is given


HEADS = [
    "experiment=skullstripper_anycontrast",
    "skullstripper.preprocess.spacing_mm=[8,8,8]",
    "skullstripper.patch=[16,16,16]",
    "data.heads=5",
    "data.val_share=0.2",
    "paths.run=null",
]


def _data(folder):
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        data = composed_data(compose("train", [*HEADS, f"paths.data={folder}", f"paths.cache={folder}"]))
    data.prepare_data()
    data.setup("fit")
    return data


def _one_of_two(rank, folder, workers, draws):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    device.threads = lambda: 12
    loader = _data(folder).train_dataloader()
    workers[rank] = loader.num_workers
    draws[rank] = torch.tensor([index for _, index in loader.sampler])
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_two_processes_on_this_machine_take_half_of_its_cores_and_of_the_samples_each(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # from where both import this file
    for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as alone:
        alone.setattr(device, "threads", lambda: 12)
        loader = _data(tmp_path).train_dataloader()
    assert loader.num_workers == 8
    n = len(loader.dataset)
    workers = torch.zeros(2, dtype=torch.int64).share_memory_()
    draws = torch.full((2, n // 2), -1).share_memory_()
    mp.start_processes(_one_of_two, (tmp_path, workers, draws), nprocs=2, start_method="spawn")
    assert workers.tolist() == [5, 5]
    assert sorted(draws.flatten().tolist()) == list(range(n))
