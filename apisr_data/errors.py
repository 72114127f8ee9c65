"""Every error that this project raises on purpose.

    ApisrError
    ├── UsageError              the command line or a configuration is wrong          exit status 2
    │   ├── ConfigError         a recipe, a setting or a titles file
    │   ├── QueryError          the SQL of `query` or `--where`
    │   ├── MissingStageError   a stage was asked for before the stage that it reads
    │   └── DatasetError        a dataset folder is absent, damaged, too new or in use
    ├── InputError              one input cannot be used; the other inputs go on      exit status 1
    │   ├── VideoError          empty, truncated, not a video, audio only
    │   │   ├── ColourError     a transfer function or matrix that we refuse, by name
    │   ├── ImageError          a picture cannot be read or written
    │   └── ResourceError       memory ran out or the decoder crashed: another try may do better
    │       └── HangError       the decoder did not come back and was stopped
    └── FetchError              weights or parameters are absent and cannot be had    exit status 1

A message says who wanted what, what was found, and what to do.
"""


class ApisrError(Exception):
    """Base of every deliberate error."""


class UsageError(ApisrError):
    """The command line or a configuration is wrong; nothing was done."""


class ConfigError(UsageError):
    """A recipe, a setting or a titles file has an unknown key or an unusable value."""


class QueryError(UsageError):
    """A query is not one SELECT, or DuckDB refuses it."""


class MissingStageError(UsageError):
    """A stage reads tables that an earlier stage has not written yet."""


class DatasetError(UsageError):
    """A dataset folder is absent, damaged, made by a newer version, or being written by another run."""


class InputError(ApisrError):
    """One input cannot be used; the message starts with its path."""


class VideoError(InputError):
    """A file is empty, truncated, not a video, or holds no video stream."""


class ColourError(VideoError):
    """A video's colour cannot be converted faithfully (PQ, HLG, an unknown matrix)."""


class ImageError(InputError):
    """A picture cannot be read, converted or written."""


class ResourceError(InputError):
    """Memory ran out, or the decoder took its process down: with fewer workers, say, it may go well."""


class HangError(ResourceError):
    """A decoder stopped answering and its process was ended."""


class FetchError(ApisrError):
    """A file of weights or parameters is absent, or its download or checksum failed."""
