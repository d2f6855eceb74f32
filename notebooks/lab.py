"""What the notebooks share: finding scsim, running it, its output as data frames, figures that a text states."""

import io
import json
import os
import subprocess
from pathlib import Path

import pandas as pd

REPOSITORY = Path(__file__).resolve().parent.parent


def binary() -> Path:
    """The scsim that SCSIM_BIN names (from the repository on), else the one that `cargo build --release` makes."""
    named = os.environ.get("SCSIM_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    path = REPOSITORY / named if named else REPOSITORY / target / "release" / "scsim"
    if not path.is_file():
        raise SystemExit(f"there is no {path}: cargo build --release makes it, or SCSIM_BIN names another")
    return path.resolve()


def scsim(*arguments: str) -> str:
    """Runs scsim in the repository; what it wrote to stdout. Expectations may fail, runs may not."""
    command = [str(binary()), "--progress", "never", *arguments]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1, 3):
        raise RuntimeError(f"scsim {' '.join(arguments)}: exit code {run.returncode}\n{run.stderr}")
    return run.stdout


def sweep(scenario: str, vary: dict[str, list], *arguments: str) -> pd.DataFrame:
    """A sweep's table: a row for each cell, plane, scope, window and metric, the varied fields as written."""
    grid = [word for key, values in vary.items() for word in ("--vary", f"{key}={','.join(map(str, values))}")]
    table = scsim("sweep", scenario, *grid, "--format", "csv", *arguments)
    return pd.read_csv(io.StringIO(table), dtype={key: str for key in vary})


def run(scenario: str, *arguments: str) -> dict:
    """A result, `scsim.result/1`."""
    return json.loads(scsim("run", scenario, "--json", "-", *arguments))


def cost(scenario: str, *arguments: str) -> dict:
    """A bill, `scsim.cost/1`, with the scenario it belongs to."""
    return json.loads(scsim("cost", scenario, "--json", "-", *arguments))


def stated(figure: str, value: float, form: str) -> None:
    """Holds a figure of the text against what was computed. `run.py` looks whether the text has it."""
    found = form.format(value)
    assert found == figure, f"the text says {figure}, the simulation says {found}"
