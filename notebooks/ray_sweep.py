#!/usr/bin/env python3
"""Runs a sweep's shards on Ray and joins them to the bytes of a single run.

    pip install ray==2.49.2
    python notebooks/ray_sweep.py scenarios/library/ejection/detection-time.toml -o cells.csv
    python notebooks/ray_sweep.py sweep.toml -o cells.csv --address auto --shards 64 -- --vary service.a.tasks=1..64

Without --address a cluster of this machine's cores is started and ended; with one the same code runs on that
cluster. Nothing has to be installed there but Ray: the program and the files that the scenario names travel with
the tasks. What follows `--` goes to every `scsim sweep`.

A cell depends on file, cell and seed alone, so it does not matter where a shard runs nor how often it was begun: when
a worker or a node dies, Ray runs its shard again. Finished shards are kept beside the output until all are joined; the
same command after an interrupt goes on with them. A shard that scsim refuses (a wrong file) is not tried again.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

# A shard that failed is told below; Ray would tell of its neighbours too.
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")

import ray  # noqa: E402

# Workers know no file of ours: functions travel whole, also when this one is imported.
if __name__ != "__main__":
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

SHIPPED_MAX = 256 << 20
"""Most bytes of files that travel with the tasks."""


class Refused(Exception):
    """scsim ended with an exit code that a second try would not change."""

    def __init__(self, code: int, told: str) -> None:
        super().__init__(code, told)
        self.code = code
        self.told = told


def arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """What was typed, and what goes to `scsim sweep`."""
    own, extra = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    parser = argparse.ArgumentParser(
        description="Runs a sweep's shards on Ray and joins them to the bytes of a single run.",
        epilog="What follows -- goes to every `scsim sweep`: -- --vary key=1,2,3 -n 5",
    )
    parser.add_argument("scenario", type=Path, help="scenario file, in this folder or below")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the cells as CSV")
    parser.add_argument("--json", type=Path, help="the cells as JSON")
    parser.add_argument("--svg", type=Path, help="folder for charts")
    parser.add_argument("--shards", type=int, help="parts to cut the sweep into; four per core of the cluster if nobody says")
    parser.add_argument("--address", help="a running cluster, `auto` or ray://host:10001; one of this machine if nobody says")
    parser.add_argument("--cpus", type=int, default=1, help="cores, and so threads, of a shard")
    parser.add_argument("--retries", type=int, default=5, help="how often a shard is begun again after its worker died")
    parser.add_argument("--scsim", default="scsim", help="the program; it travels with the tasks")
    return parser.parse_args(own), extra


def found(program: str) -> Path:
    """Where a program is."""
    path = shutil.which(program)
    if path is None:
        raise SystemExit(f"error: there is no program {program}; give --scsim target/release/scsim")
    return Path(path)


def shipped(scenario: Path) -> dict[str, bytes]:
    """The scenario and every file that it or its includes name, by their paths from here."""
    here = Path.cwd()
    files: dict[str, bytes] = {}
    waiting = [scenario]
    while waiting:
        path = waiting.pop()
        name = os.path.relpath(path, here)
        if name.startswith(".."):
            raise SystemExit(f"error: {path} lies outside this folder; start from a folder above it, so that names stay the same")
        if name in files:
            continue
        try:
            files[name] = path.read_bytes()
        except OSError as error:
            raise SystemExit(f"error: {path} cannot be read: {error.strerror}") from error
        if sum(map(len, files.values())) > SHIPPED_MAX:
            raise SystemExit(f"error: the files that {scenario} names have more than {SHIPPED_MAX >> 20} MiB")
        if path.suffix == ".toml":
            waiting.extend(named(path, scenario.parent))
    return files


def named(path: Path, folder: Path) -> list[Path]:
    """The files that the strings of a TOML file name; what is no TOML is for scsim to say."""
    try:
        open_values: list[object] = [tomllib.loads(path.read_text("utf-8"))]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return []
    names = []
    while open_values:
        match open_values.pop():
            case dict() as table:
                open_values.extend(table.values())
            case list() as items:
                open_values.extend(items)
            case str() as text if "\n" not in text and len(text) < 256 and (folder / text).is_file():
                names.append(folder / text)
    return names


def program(data: bytes) -> Path:
    """The program on this node, written once."""
    folder = Path(tempfile.gettempdir()) / f"scsim-{hashlib.sha256(data).hexdigest()[:16]}-{os.getuid()}"
    path = folder / "scsim"
    if not path.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        beside = folder / f"scsim.{os.getpid()}"
        beside.write_bytes(data)
        beside.chmod(0o700)
        beside.rename(path)
    return path


def die_with_parent() -> None:
    """A worker that is killed takes its simulator along (Linux; elsewhere that one finishes for nobody)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@ray.remote
def shard(part: str, name: str, files: dict[str, bytes], scsim: bytes, extra: list[str], cpus: int, begun: bytes) -> tuple[int, bytes]:
    """Computes one part; which process did, and the finished cells."""
    with tempfile.TemporaryDirectory(prefix="scsim-shard-") as folder:
        for path, data in files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        cells = Path(folder) / "scsim-shard.part"
        if begun:
            cells.write_bytes(begun)
        command = [program(scsim), "sweep", name, *extra, "--shard", part, "-o", cells.name]
        command += ["--jobs", str(cpus), "--progress", "never"]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SCSIM_")}
        done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, preexec_fn=die_with_parent)
        if done.returncode < 0 or done.returncode == 130:
            raise RuntimeError(f"the simulator was ended by a signal: {done.stderr}")
        if done.returncode != 0:
            raise Refused(done.returncode, done.stderr)
        return os.getpid(), cells.read_bytes()


def write(path: Path, data: bytes) -> None:
    """A file, whole or not at all."""
    beside = path.with_name(path.name + ".tmp")
    beside.write_bytes(data)
    beside.replace(path)


def run(args: argparse.Namespace, extra: list[str]) -> list[int]:
    """Computes and joins; the processes that computed the parts."""
    scsim = found(args.scsim)
    name = os.path.relpath(args.scenario, Path.cwd())
    files = shipped(args.scenario)
    count = args.shards or max(1, 4 * int(ray.cluster_resources().get("CPU", 1)) // args.cpus)
    kept = args.output.with_name(args.output.name + ".shards")
    kept.mkdir(parents=True, exist_ok=True)
    # One copy each in the object store, not one per task.
    binary, inputs = ray.put(scsim.read_bytes()), ray.put(files)
    paths = [kept / f"{i}-of-{count}.part" for i in range(1, count + 1)]
    options = {"num_cpus": args.cpus, "max_retries": args.retries, "retry_exceptions": [RuntimeError]}
    tasks = {}
    for i, path in enumerate(paths, 1):
        begun = path.read_bytes() if path.exists() else b""
        task = shard.options(**options).remote(f"{i}/{count}", name, inputs, binary, extra, args.cpus, begun)
        tasks[task] = path
    workers = []
    waiting = list(tasks)
    while waiting:
        (ready,), waiting = ray.wait(waiting, num_returns=1)
        try:
            worker, data = ray.get(ready)
        except ray.exceptions.RayTaskError as error:
            for other in waiting:
                ray.cancel(other, force=True)
            if isinstance(error.cause, Refused):
                sys.stderr.write(error.cause.told)
                raise SystemExit(error.cause.code) from None
            raise SystemExit(f"error: a shard failed {args.retries + 1} times: {error.cause}") from None
        except ray.exceptions.WorkerCrashedError:
            raise SystemExit(f"error: the worker of a shard died {args.retries + 1} times; --retries allows more") from None
        write(tasks[ready], data)
        workers.append(worker)
        print(f"{count - len(waiting)} of {count} shards", file=sys.stderr)
    join(scsim, paths, args)
    shutil.rmtree(kept)
    return workers


def join(scsim: Path, paths: list[Path], args: argparse.Namespace) -> None:
    """`scsim sweep merge`: its table is ours, and so is its exit code."""
    command = [scsim, "sweep", "merge", *paths, "-o", args.output]
    command += ["--json", args.json] if args.json else []
    command += ["--svg", args.svg] if args.svg else []
    code = subprocess.run(command).returncode
    # 1 and 3 are about expectations: the cells are complete.
    if code not in (0, 1, 3):
        raise SystemExit(code)


def main(argv: list[str]) -> None:
    """The command."""
    args, extra = arguments(argv)
    ray.init(address=args.address, log_to_driver=False, include_dashboard=False if args.address is None else None)
    try:
        run(args, extra)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
