"""`apisr-model demo`: a page in the browser."""

import threading
from typing import Annotated, Literal

import typer

Weights = Annotated[
    list[str] | None,
    typer.Option("-w", "--weights", help="A file, or a name of `weights list`, to offer first; repeatable."),
]


def demo(
    weights: Weights = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 opens the page to your network.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Default: the first free one from 7860 on.", min=1, max=65535)
    ] = None,
    share: Annotated[
        bool,
        typer.Option("--share", help="Open it to the internet for a while, through a tunnel of Gradio's makers."),
    ] = False,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where networks run.")] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Of the arithmetic; auto is fp32 on a CPU.")
    ] = "auto",
    max_mpx: Annotated[
        float, typer.Option(help="Of a picture or a frame taken: millions of pixels.", min=0.01, max=100)
    ] = 4.0,
    max_seconds: Annotated[float, typer.Option(help="Of a video at a time.", min=0.1)] = 60.0,
    max_minutes: Annotated[float, typer.Option(help="That one job may take.", min=0.1)] = 30.0,
    max_upload: Annotated[int, typer.Option(help="Of a file taken: MB.", min=1)] = 200,
    queue: Annotated[int, typer.Option(help="Jobs that may wait.", min=0, max=1000)] = 8,
    keep_minutes: Annotated[float, typer.Option(help="How long uploads and results stay.", min=1)] = 60.0,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more of what happens.")] = False,
) -> None:
    """Upscale in the browser: pictures, short videos, and what training sees; until Ctrl-C.

    Only this machine can open the page unless --host or --share says otherwise. Nothing is fetched: weights that are
    not here are shown with the command that gets them.
    """
    import gradio  # noqa: F401 - before torch: the extra that brings it brings both

    from apisr_data.terminal import ERR, OUT, set_up_logging
    from apisr_model.demo.gate import is_loopback
    from apisr_model.demo.limits import Limits
    from apisr_model.demo.server import serving
    from apisr_model.demo.shelf import Shelf

    set_up_logging(is_verbose=verbose)
    limits = Limits(
        max_mpx=max_mpx,
        max_seconds=max_seconds,
        max_minutes=max_minutes,
        max_upload_mb=max_upload,
        queue=queue,
        keep_minutes=keep_minutes,
    )
    shelf = Shelf(weights or [], device=device, precision=precision)
    try:
        with serving(shelf, limits, host=host, port=port, share=share) as address:
            if shelf.default is None:
                ERR.print("no weights are here: the page says how to get some; its other tabs work")
            if share or not is_loopback(host):
                whose = "who has its address" if share else "who reaches this machine"
                ERR.print(f"warning: everybody {whose} can open this page, without a password")
            OUT.print(f"open {address} in a browser; Ctrl-C ends it", markup=False)
            threading.Event().wait()
    except KeyboardInterrupt:
        OUT.print("ended; uploads and results are removed")
