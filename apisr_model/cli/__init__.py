"""apisr-model: train, evaluate and run anime super-resolution. One file a command; they parse, call and print."""

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
    run_command(app, kept="what was done is kept; with --resume the same command goes on from there")


if __name__ == "__main__":
    main()
