"""The Ray driver. Goal: a sweep that lost a worker on the way has the bytes of one that did not. Method: a cluster
of this test's own, one of its workers killed while it computes a shard, compared with a single run.

    python tests/ray/check.py target/release/scsim
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray  # noqa: E402
import ray_sweep  # noqa: E402

SCENARIO = """
title   = "shards"
compare = ["service-connect", "internal-alb"]
include = ["parts/network.toml"]
[service.checkout]
tasks = 3
calls = ["payments"]
[service.payments]
tasks   = 6
latency = { p50 = "12ms", p99 = "80ms" }
[load]
rate = "200/s"
[run]
duration     = "120s"
replications = 2
[sweep]
vary = { "service.payments.tasks" = "4..9", "load.rate" = ["100/s", "200/s"] }
"""


def stat(pid: int) -> tuple[int, str]:
    """Parent and command line of a process; nobody and nothing once it is gone."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        return parent, Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (OSError, ValueError):
        return 0, ""


def is_ours(pid: int) -> bool:
    """Whether this process is among its ancestors."""
    while pid > 1:
        pid = stat(pid)[0]
        if pid == os.getpid():
            return True
    return False


def kill_one_worker(killed: list[int], over: threading.Event) -> None:
    """Kills the first of our workers that has a simulator running below it."""
    while not over.is_set() and not killed:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            worker, command = stat(int(entry.name))
            if " sweep " in command and "--shard" in command and "ray::" in stat(worker)[1] and is_ours(worker):
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)
                return
        time.sleep(0.01)


def main(scsim: str) -> None:
    """The whole test; the first assertion that fails ends it."""
    program = str(Path(scsim).resolve())
    with tempfile.TemporaryDirectory(prefix="scsim-ray-") as folder:
        os.chdir(folder)
        Path("in/parts").mkdir(parents=True)
        Path("in/parts/network.toml").write_text('[network]\nsame_zone = "0.3ms"\n')
        Path("in/sweep.toml").write_text(SCENARIO)
        single = [program, "sweep", "in/sweep.toml", "-o", "single.csv", "--json", "single.json", "--progress", "never"]
        subprocess.run(single, check=True, stdout=subprocess.DEVNULL)

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=160 << 20)
        killed: list[int] = []
        over = threading.Event()
        killer = threading.Thread(target=kill_one_worker, args=(killed, over))
        killer.start()
        try:
            argv = ["in/sweep.toml", "-o", "joined.csv", "--json", "joined.json", "--shards", "5", "--scsim", program]
            workers = ray_sweep.run(*ray_sweep.arguments(argv))
        finally:
            over.set()
            killer.join()
        assert killed, "no worker was caught at work: the sweep is too short for this test"
        assert len(workers) == 5 and killed[0] not in workers, (killed, workers)
        for kind in ("csv", "json"):
            assert Path(f"joined.{kind}").read_bytes() == Path(f"single.{kind}").read_bytes(), f"the {kind} differs"
        assert not Path("joined.csv.shards").exists()
        print(f"worker {killed[0]} was killed at work; the bytes are those of one run")

        refused = ["in/sweep.toml", "-o", "no.csv", "--shards", "2", "--scsim", program, "--", "--vary", "service.paymens.tasks=1,2"]
        try:
            ray_sweep.run(*ray_sweep.arguments(refused))
        except SystemExit as error:
            assert error.code == 2, error.code
        else:
            raise AssertionError("a field that does not exist was swept")
        print("a field that does not exist ends with 2")
        ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
