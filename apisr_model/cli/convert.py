"""`apisr-model convert`."""


def convert() -> None:
    """Not written yet."""
    raise NotImplementedError
