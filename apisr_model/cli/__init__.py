"""apisr-model: train, evaluate and run anime super-resolution. One file a command; they parse, call and print."""

import os

from apisr_data.command import make_app
from apisr_data.command import run as run_command
from apisr_model.cli import convert, degrade, demo, doctor, evaluate, lines, train, upscale, weights

app = make_app("Upscale pictures and videos, and train and examine the networks that do.")
app.command()(upscale.upscale)
app.add_typer(weights.app, name="weights")
app.command()(convert.convert)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(degrade.degrade)
app.command()(lines.lines)
app.command()(demo.demo)
app.command()(doctor.doctor)


def main() -> None:
    """Run the command."""
    # Torch's threads spin while they wait, and on a machine that does something else too they spin against each other:
    # 100 steps of train_quick on two busy cores took 29 to 210 s, and 12 to 18 s when they sleep. Read at torch's
    # import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    run_command(app, kept="what was done is kept; with --resume the same command goes on from there")


if __name__ == "__main__":
    main()
