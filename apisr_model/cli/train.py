"""`apisr-model train`."""


def train() -> None:
    """Not written yet."""
    raise NotImplementedError
