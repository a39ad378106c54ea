"""A real one-node Slurm in a temporary folder: own configuration, ports and spool, two pretended GPUs.

The daemons are child processes and end with the test; nothing of the machine's own Slurm is touched.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "sinfo")
FOLDERS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def missing() -> str | None:
    """Why a cluster cannot be started here, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=FOLDERS) is None]
    if absent:
        return f"Slurm is not installed ({', '.join(absent)} missing): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "slurmd needs root to start jobs"
    return None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster:
    """Start with `start()`, use with `environment`, end with `stop()`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.daemons: list[subprocess.Popen] = []
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": FOLDERS}

    def start(self, timeout: float = 40) -> None:
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(mode=0o700)
        self._munge()
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n", encoding="ascii")
        (self.folder / "slurm.conf").write_text(self._configuration(), encoding="ascii")
        self._daemon("slurmctld", "-D", "-c", "-f", str(self.folder / "slurm.conf"))
        self._daemon("slurmd", "-D", "-c", "-N", "node1", "-f", str(self.folder / "slurm.conf"))
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            answer = self.call("sinfo", "--noheader", "--format=%T")
            if answer.stdout.strip() == "idle":
                return
            time.sleep(0.3)
        logs = "\n".join(path.read_text()[-1500:] for path in sorted(self.folder.glob("*.log")))
        self.stop()
        raise RuntimeError(f"Slurm did not come up in {timeout} s: {answer.stdout}{answer.stderr}\n{logs}")

    def call(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def stop(self) -> None:
        self.call("scancel", "--user=root")
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _munge(self) -> None:
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.socket = munge / "socket"
        self._daemon(
            "munged", "--foreground", "--force", f"--socket={self.socket}", f"--key-file={key}",
            f"--pid-file={munge / 'pid'}", f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}",
        )  # fmt: skip
        end = time.monotonic() + 10
        while not self.socket.exists() and time.monotonic() < end:
            time.sleep(0.05)

    def _daemon(self, program: str, *words: str) -> None:
        with open(self.folder / f"{program}.log", "w") as log:
            self.daemons.append(
                subprocess.Popen([shutil.which(program, path=FOLDERS), *words], env=self.environment, stdout=log,
                                 stderr=subprocess.STDOUT, start_new_session=True)
            )  # fmt: skip

    def _configuration(self) -> str:
        host = socket.gethostname().split(".")[0]
        lines = {
            "ClusterName": "asclepius",
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmUser": "root",
            "SlurmctldPort": free_port(),
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={self.socket}",
            "CredType": "cred/munge",
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool",
            "SlurmctldPidFile": self.folder / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "slurmd.pid",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core",
            "SchedulerType": "sched/backfill",
            "SchedulerParameters": "sched_interval=1,bf_interval=1,batch_sched_delay=0",
            "GresTypes": "gpu",
            "MpiDefault": "none",
            "ReturnToService": 2,
            "MinJobAge": 300,
            "AccountingStorageType": "accounting_storage/none",
            "JobAcctGatherType": "jobacct_gather/none",
        }
        cores = os.cpu_count() or 1
        text = "\n".join(f"{name}={value}" for name, value in lines.items())
        return (
            f"{text}\n"
            f"NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs={cores} "
            f"RealMemory=4000 Gres=gpu:2 State=UNKNOWN\n"
            f"PartitionName=main Nodes=node1 Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO\n"
        )
