"""Executes the notebooks and holds their texts against them: python notebooks/run.py [NOTEBOOK...]

A notebook fails if a cell does, if a figure that a cell states does not stand in the text before that cell, or if
outputs were left in the file.
"""

import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
STATED = re.compile(r"""\bstated\(\s*(["'])(.+?)\1""")


def problems(path: Path) -> list[str]:
    """What is wrong with a notebook."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    found = []
    text = ""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            text = cell.source
            continue
        if cell.outputs or cell.execution_count is not None:
            found.append(f"cell {number} has outputs: clear them before the commit")
        found += [
            f"cell {number} states {figure}, and the text before it does not"
            for _, figure in STATED.findall(cell.source)
            if figure not in text
        ]
    try:
        NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(HERE)}}).execute()
    except CellExecutionError as error:
        found.append(str(error))
    return found


def main(names: list[str]) -> int:
    """Runs them all; 1 if one fails, 2 if there is none."""
    paths = [Path(name) for name in names] or sorted(HERE.glob("*.ipynb"))
    if not paths:
        print("no notebook found", file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        began = time.monotonic()
        found = problems(path)
        took = time.monotonic() - began
        print(f"{'FAIL' if found else 'ok':4}  {path.name}  {took:.1f} s", flush=True)
        for problem in found:
            print(f"      {problem}")
        failed += bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
