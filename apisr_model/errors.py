"""Every error that this package adds to those of `apisr_data.errors`.

ApisrError
├── UsageError
│   ├── WeightsError        weights are absent, damaged, or of no architecture that we know    exit status 2
│   ├── MissingExtraError   a package of an optional extra is not installed                     exit status 2
│   └── DeviceError         a device or an encoder was asked for that is not here               exit status 2
├── InputError
│   ├── ShapeError          an array or tensor has a shape or type that cannot be used          exit status 1
│   └── ContainerError      a stream does not fit the container it should go into               exit status 1
├── TrainingError           a loss is not finite any more                                       exit status 1
├── DegradationError        a codec failed on a picture that was to be degraded                 exit status 1
└── JobError                a visitor's job of the demo was stopped or cannot be queued         never an exit status
"""

from apisr_data.errors import ApisrError, InputError, UsageError


class WeightsError(UsageError):
    """A file of weights is absent, damaged, or holds no architecture that we know; the message says what it holds."""


class MissingExtraError(UsageError):
    """An optional package is not installed; the message holds the command that installs it."""


class DeviceError(UsageError):
    """A device, a precision or an encoder was asked for that this machine does not have."""


class ShapeError(InputError):
    """An array or tensor has a shape, range or type that cannot be used."""


class ContainerError(InputError):
    """A container cannot hold one of the streams; the message names the stream and the remedy."""


class TrainingError(ApisrError):
    """A training run cannot go on; the message names the step and the samples."""


class DegradationError(ApisrError):
    """A codec failed on a picture; the message names the codec, its parameters and the size."""


class JobError(ApisrError):
    """A job of the demo was stopped, took too long, or found no place in the queue; the message says which."""
