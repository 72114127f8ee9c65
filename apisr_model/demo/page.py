"""The page: tabs, what stands in them, and which event does what."""

import html
from collections.abc import Sequence
from importlib import resources
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.data_classes import ImageData

from apisr_model.demo import previews
from apisr_model.demo.handlers import NO_LINES, NO_PICTURE, NO_SAMPLES, NO_VIDEO, Emptied, Handlers
from apisr_model.demo.limits import Limits
from apisr_model.demo.shelf import Shelf

TITLE = "APISR"
_ABOUT = "Anime super-resolution: drop a picture or a short video, and get each drawing back larger."
_SCALES = [("the network's", 0.0), *((f"{scale:g}x", scale) for scale in (1.0, 1.5, 2.0, 3.0, 4.0))]
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")
_NO_WEIGHTS = """**No weights are on this machine yet.** Fetch some, `apisr-model weights fetch realesr-animevideov3`,
and they work at once; or train a small network in about a minute,
`apisr-model train MANIFEST --recipe train_quick -o RUN`, and start again with
`apisr-model demo --weights RUN/network.safetensors`. *Lines* and *Degradation* need none."""


def theme() -> gr.themes.Base:
    """Fonts of the visitor's system alone, calm colours, light and dark."""
    return gr.themes.Default(
        primary_hue=gr.themes.colors.indigo,
        secondary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        font=_FONTS,
        font_mono=_MONO,
    )


def css() -> str:
    """The page's style sheet."""
    return _beside("page.css")


def script() -> str:
    """What the browser runs when the page is there."""
    return _beside("page.js")


def build(handlers: Handlers) -> gr.Blocks:
    """The page with its events; components keep their files where GRADIO_TEMP_DIR says now."""
    page: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(f"<h1>{TITLE}</h1><p>{_ABOUT}</p>", elem_id="head")
        if handlers.shelf.default is None:
            gr.Markdown(_NO_WEIGHTS, elem_id="no-weights")
        with gr.Tabs():
            with gr.Tab("Picture", id="picture"):
                _picture_tab(handlers)
            with gr.Tab("Video", id="video"):
                _video_tab(handlers)
            with gr.Tab("Lines", id="lines"):
                _lines_tab(handlers)
            with gr.Tab("Degradation", id="degradation"):
                _degradation_tab(handlers)
            with gr.Tab("About", id="about"):
                gr.Markdown(_about(handlers.limits, handlers.shelf), elem_id="about")
        page.unload(handlers.leave)
    return page


def _picture_tab(handlers: Handlers) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            source = _picture_input("upscale-input")
            settings = _settings(handlers)
            run, stop = _buttons("Upscale", "upscale")
        with gr.Column(scale=2, min_width=340):
            status = gr.HTML(elem_id="upscale-status")
            slider = gr.ImageSlider(
                label="Plain resize | network", type="filepath", elem_id="upscale-slider", buttons=["fullscreen"],
                interactive=False, max_height=720,
            )  # fmt: skip
            download = _download("upscale-download")
    _on(run, handlers.upscale_picture, [source, *settings], [status, slider, download, stop])
    _on(stop, handlers.stop)
    _empty_with(source, [status, slider, download], NO_PICTURE)


def _video_tab(handlers: Handlers) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            source = gr.File(label="Video", type="filepath", elem_id="video-input", height=140)
            with gr.Row():
                start = gr.Number(label="Start, s", value=0, minimum=0, min_width=120)
                duration = gr.Number(
                    label="Duration, s", value=min(5.0, handlers.limits.max_seconds), minimum=0, min_width=120,
                    info=f"0: to its end; at most {handlers.limits.max_seconds:g}",
                )  # fmt: skip
            settings = _settings(handlers)
            run, stop = _buttons("Upscale", "video")
        with gr.Column(scale=2, min_width=340):
            status = gr.HTML(elem_id="video-status")
            player = gr.HTML(elem_id="video-player")
            download = _download("video-download")
    _on(run, handlers.upscale_video, [source, *settings, start, duration], [status, player, download, stop])
    _on(stop, handlers.stop)
    _empty_with(source, [status, player, download], NO_VIDEO)


def _lines_tab(handlers: Handlers) -> None:
    gr.Markdown(
        "Training aims at the picture with its hand-drawn lines sharpened and all else as it is: the pseudo ground "
        "truth. Give a whole frame, at the height that networks train at."
    )
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            source = _picture_input("lines-input")
            gamma = gr.Slider(
                0.95, 1.0, value=0.975, step=0.001, label="Gamma",
                info="The larger, the more counts as a line; training draws from 0.97 to 0.98",
            )  # fmt: skip
            run, stop = _buttons("Find the lines", "lines")
        with gr.Column(scale=2, min_width=340):
            status = gr.HTML(elem_id="lines-status")
            slider = gr.ImageSlider(
                label="Picture | pseudo ground truth", type="filepath", elem_id="lines-slider", buttons=["fullscreen"],
                interactive=False, max_height=560,
            )  # fmt: skip
            steps = _gallery("Steps", "lines-steps", 3)
    _on(run, handlers.enhance, [source, gamma], [status, slider, steps, stop])
    _on(stop, handlers.stop)
    _empty_with(source, [status, slider, steps], NO_LINES)


def _degradation_tab(handlers: Handlers) -> None:
    gr.Markdown(
        "Training makes its low-resolution pictures by spoiling good ones: resizing, blur, noise and real codecs, "
        "drawn anew for each. The same seed draws the same."
    )
    names = previews.recipes()
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            source = _picture_input("degrade-input")
            recipe = gr.Dropdown(list(names), value=names[0], label="Degradation", info="Of the paper, or of a recipe")
            scale = gr.Radio([("1x", 1), ("2x", 2), ("4x", 4)], value=4, label="Scale", info="High over low resolution")
            samples = gr.Slider(1, 11, value=5, step=1, label="Samples")
            seed = gr.Number(label="Seed", value=0, minimum=0, precision=0)
            run, stop = _buttons("Draw", "degrade")
        with gr.Column(scale=2, min_width=340):
            status = gr.HTML(elem_id="degrade-status")
            shown = _gallery("Samples", "degrade-samples", 2)
            with gr.Accordion("What was drawn", open=False):
                drawn = gr.HTML(elem_id="degrade-steps")
    _on(run, handlers.degrade, [source, recipe, scale, samples, seed], [status, shown, drawn, stop])
    _on(stop, handlers.stop)
    _empty_with(source, [status, shown, drawn], NO_SAMPLES)


def _settings(handlers: Handlers) -> list[Component]:
    """Weights, scale, strength, tile, colour: in the order that the handlers take them."""
    shelf = handlers.shelf
    weights = gr.Dropdown(
        [(choice.label, name) for name, choice in shelf.choices.items()],
        value=shelf.default,
        label="Weights",
        info=handlers.licence(shelf.default),
    )
    weights.change(handlers.tell_licence, weights, weights, show_progress="hidden", api_visibility="private")
    scale = gr.Dropdown(_SCALES, value=0.0, label="Scale", filterable=False)
    strength = gr.Slider(0, 1, value=1, step=0.05, label="Strength", info="1: the network's result; 0: a plain resize")
    with gr.Accordion("More", open=False):
        tile = gr.Number(
            label="Tile, px",
            value=0,
            minimum=0,
            precision=0,
            info="Largest side of a tile; 0: as memory and speed allow",
        )
        match_colour = gr.Checkbox(label="Keep the colour of large areas", value=False)
    return [weights, scale, strength, tile, match_colour]


def _picture_input(elem_id: str) -> gr.Image:
    """Hands over the file as it was uploaded, with depth, transparency and profile; what is no picture too."""
    source = gr.Image(
        label="Picture", sources=["upload", "clipboard"], type="filepath", elem_id=elem_id, height=260, buttons=[]
    )
    vars(source)["preprocess"] = _as_uploaded  # a subclass would have Gradio write a .pyi file beside this one
    return source


def _as_uploaded(payload: ImageData | None) -> str | None:
    return payload.path if payload else None


def _buttons(run: str, name: str) -> tuple[gr.Button, gr.Button]:
    with gr.Row():
        started = gr.Button(run, variant="primary", elem_id=f"{name}-run", min_width=120)
        stopped = gr.Button("Cancel", interactive=False, elem_id=f"{name}-stop", min_width=120)
    return started, stopped


def _download(elem_id: str) -> gr.DownloadButton:
    return gr.DownloadButton("Download", interactive=False, elem_id=elem_id)


def _gallery(label: str, elem_id: str, columns: int) -> gr.Gallery:
    return gr.Gallery(
        label=label, elem_id=elem_id, columns=columns, object_fit="contain", height="auto", interactive=False,
        buttons=["download", "fullscreen"],
    )  # fmt: skip


def _on(button: gr.Button, run: Any, inputs: Sequence[Component] = (), outputs: Any = None) -> None:
    """Run on a click, at once: our jobs queue, not Gradio."""
    for component in inputs:
        _refuse_in_words(component)
    button.click(run, inputs, outputs, show_progress="hidden", concurrency_limit=None, api_visibility="private")


def _refuse_in_words(component: Component) -> None:
    """Have the visitor told of a value that the component does not take, and our terminal spared a traceback."""
    check = component.preprocess

    def checked(payload: Any) -> Any:
        try:
            return check(payload)
        except (gr.Error, TypeError, ValueError) as error:
            told = error.message if isinstance(error, gr.Error) else f"{payload!r} is not taken"
            told = f"{component.label}: {told}"
            raise gr.Error(html.escape(told), print_exception=False) from None

    vars(component)["preprocess"] = checked


def _empty_with(source: Component, outputs: list[Component], emptied: Emptied) -> None:
    """No result stays beside an input that it is not of."""
    source.change(  # type: ignore[attr-defined]
        lambda: ("", *emptied), None, outputs, show_progress="hidden", api_visibility="private"
    )


def _about(limits: Limits, shelf: Shelf) -> str:
    licences = "\n".join(
        f"| {choice.name} | {'yes' if choice.is_here else 'no'} | {choice.licence} |"
        for choice in shelf.choices.values()
    )
    return f"""### What this page takes
Pictures and frames of up to {limits.max_mpx:g} million pixels, {limits.max_seconds:g} s of a video at a time, files of
up to {limits.max_upload_mb} MB. One job runs at a time, {limits.queue} may wait, and none takes longer than
{limits.max_minutes:g} minutes.

### What becomes of your files
They stay on the machine that serves this page and are sent nowhere. Results go when you close the page, uploads
after {limits.keep_minutes:g} minutes, and everything when the page is shut down. Nothing is counted or reported.

### Weights
| name | here | what it is |
|---|---|---|
{licences}

The same work on whole folders and episodes: `apisr-model upscale`, `apisr-model lines`, `apisr-model degrade`. The
method is by Wang et al., *APISR: Anime Production Inspired Real-World Anime Super-Resolution*, CVPR 2024.
"""


def _beside(name: str) -> str:
    return (resources.files("apisr_model.demo") / name).read_text(encoding="utf-8")
