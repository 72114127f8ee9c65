"""Pictures and videos through a network."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apisr_model.upscale.image import upscale_image
    from apisr_model.upscale.video.job import upscale_video

__all__ = ["upscale_image", "upscale_video"]


def __getattr__(name: str) -> Any:
    """The public functions, loaded with all that they need when first asked for."""
    if name == "upscale_image":
        from apisr_model.upscale.image import upscale_image

        return upscale_image
    if name == "upscale_video":
        from apisr_model.upscale.video.job import upscale_video

        return upscale_video
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
