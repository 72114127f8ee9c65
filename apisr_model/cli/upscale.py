"""`apisr-model upscale`."""


def upscale() -> None:
    """Not written yet."""
    raise NotImplementedError
