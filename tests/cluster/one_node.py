"""A Slurm of one node on this machine, whose settings, key, state and logs are all in one folder.

It needs Debian's slurm-wlm and munge, and root, as slurmd starts the processes of whoever submits a job.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
_WAIT_S = 30
_SETTINGS = """
ClusterName=brainseg
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={next_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
ReturnToService=2
JobRequeue=1
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4 State=UP
"""


class OneNode:
    """Slurm's three services. The environment of commands that should reach it is `environment`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self._services: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def missing() -> list[str]:
        """The commands that are not installed."""
        return [name for name in COMMANDS if shutil.which(name) is None]

    def start(self) -> None:
        """Start all, and wait until the node is ready."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        port = _free_ports()
        settings = _SETTINGS.format(
            folder=self.folder, host=socket.gethostname().split(".")[0], cpus=os.cpu_count(), port=port,
            next_port=port + 1,
        )  # fmt: skip
        (self.folder / "slurm.conf").write_text(settings)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        named = {
            "key-file": "key",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
            "socket": "socket",
        }
        self._serve(
            "munged", "--foreground", "--force", *(f"--{n}={self.folder}/munge.{e}" for n, e in named.items())
        )
        self._until(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._serve("slurmctld", "-D")
        self._serve("slurmd", "-D")
        self._until(lambda: self.said("sinfo", "--noheader", "--format=%T") == "idle", "Slurm")

    def stop(self) -> None:
        """End all jobs and services."""
        subprocess.run(
            ["scancel", "--user=root", "--signal=KILL"], env=self.environment, check=False, timeout=30
        )
        for service in reversed(self._services):
            service.send_signal(signal.SIGTERM)
            try:
                service.wait(20)
            except subprocess.TimeoutExpired:
                service.kill()

    def said(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout.strip()

    def completed(self) -> str:
        """Slurm's own log of jobs that have ended, a line for each attempt."""
        log = self.folder / "completed"
        return log.read_text() if log.exists() else ""

    def _serve(self, *command: str) -> None:
        log = (self.folder / f"{command[0]}.out").open("ab")
        self._services.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))

    def _until(self, is_so, what: str) -> None:
        end = time.monotonic() + _WAIT_S
        while not is_so():
            if time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{what} did not start within {_WAIT_S} s; see the logs in {self.folder}")
            time.sleep(0.2)


def _free_ports() -> int:
    """A port that is free beside the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
