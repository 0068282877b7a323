"""The exceptions: one family, whose texts are those of the Rust library."""

__all__ = [
    "Compatibility",
    "Corruption",
    "Error",
    "InsufficientData",
    "InvalidArgument",
    "IoError",
    "ModelError",
]


class Error(Exception):
    """Any error of bbans."""

    __module__ = "bbans"


class Corruption(Error, ValueError):
    """The compressed data are not what an encoder wrote: damaged, cut short or forged."""

    __module__ = "bbans"


class Compatibility(Error, ValueError):
    """The data need another model, or a newer version of bbans."""

    __module__ = "bbans"


class InsufficientData(Error, ValueError):
    """There is not enough to go on: a pop from an empty message, an input that ends early."""

    __module__ = "bbans"


class InvalidArgument(Error, ValueError):
    """A value is out of its range, or the input is of a kind that cannot be coded."""

    __module__ = "bbans"


class ModelError(Error, ValueError):
    """The model is unusable, or its network computed something that is no number."""

    __module__ = "bbans"


class IoError(Error, OSError):
    """The operating system refused to read or write."""

    __module__ = "bbans"
