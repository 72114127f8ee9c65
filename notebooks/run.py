"""Run the notebooks from top to bottom and keep what they show: `python notebooks/run.py [NAME.ipynb ...]`.

A name is a file's, or one of those beside this program; without a name all of these run.
Counts of executions, times and versions are left out, so that a notebook changes only where its pictures or words do.
"""

import argparse
import base64
import io
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent

_CHART_COLOURS = 64


def execute(notebook: Path, folder: Path) -> NotebookNode:
    """The notebook as it is after a run with `folder` as its working folder, without noise.

    Raises:
        CellExecutionError: a cell failed.
    """
    content = nbformat.read(notebook, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(content, timeout=600, kernel_name="python3", record_timing=False, resources=place)
    client.execute(env=os.environ | {"PYTHONWARNINGS": "ignore:IProgress not found"})  # tqdm's, on a machine's path
    content.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for cell in content.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            for output in cell.outputs:
                _quiet(output)
    return content


def _quiet(output: NotebookNode) -> None:
    """Take out of one output what differs from run to run, and what its chart weighs more than it need."""
    if output.output_type == "execute_result":
        output.execution_count = None
    if "metadata" in output:
        output.metadata = {}
    if chart := output.get("data", {}).get("image/png"):
        output.data["image/png"] = _with_palette(chart)


def _with_palette(png: str) -> str:
    """A PNG in base64 with few colours: a third of the bytes, and no difference that one sees in a chart or a mask."""
    smaller = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        image.convert("RGB").quantize(_CHART_COLOURS, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode()


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", nargs="*", type=Path, metavar="NAME.ipynb")
    named = parser.parse_args().notebook
    found = [path if path.is_file() else FOLDER / path for path in named]
    for path in found:
        if not path.is_file():
            parser.error(f"there is no notebook {path}")
    for notebook in found or sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(execute(notebook, notebook.resolve().parent), notebook)
        print(f"{notebook}: {notebook.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
