"""Arrays and data files to bbans files, and back."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Callable, Optional, Union

import numpy as np

from . import _arrays, _bbans
from ._errors import Compatibility, InvalidArgument, IoError
from ._model import Model, found, whole_number

ModelLike = Union[Model, str, os.PathLike]
Progress = Callable[[int], Any]

DEFAULT_MODEL = "mnist-binary-best-2"


@dataclass(frozen=True)
class Report:
    """What was compressed."""

    count: int
    """Number of data."""
    dims: int
    """Observed dimensions of a datum."""
    input_bytes: int
    """Bytes of the input, without a gzip around it."""
    file_bytes: int
    """Bytes of the file, everything included."""

    @property
    def bits_per_dim(self) -> float:
        """Bits of the file for each observed dimension."""
        return 8.0 * self.file_bytes / max(1, self.count * self.dims)


def compress(
    array: Any,
    model: ModelLike = DEFAULT_MODEL,
    *,
    lanes: int = 64,
    threads: Optional[int] = None,
    particles: int = 1,
    unordered: bool = False,
    independent: bool = False,
    block: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> bytes:
    """The bbans file of an array `[count, *shape]`: what `bbans compress` makes of its .npy file.

    Values are those of the model's data, of any type that has them; nothing is cast. `lanes` data are coded side by
    side, on `threads` threads (by default as many as there are processors), which change no byte. With several
    `particles` the file is shorter, in as many times the time; with `unordered` the order of the data is given up,
    which saves its bits; with `independent` each datum can be decoded alone; `block` is the most data in a block.
    `progress` is called with the number of data that are done.

    >>> data = bbans.Model.load("mnist-binary-small").sample(100)
    >>> file = bbans.compress(data, model="mnist-binary-small")
    >>> (bbans.decompress(file) == data).all()
    True
    """
    coding = _coding(lanes, threads, particles, unordered, independent, block)
    data, _ = _bbans.compress(found(model)._native, _arrays.parts(array), None, coding, None, progress)
    return data


def decompress(
    data: Any,
    model: Optional[ModelLike] = None,
    *,
    threads: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> np.ndarray:
    """The array that a bbans file holds, `[count, *shape]`, of the type that it had.

    `data` are the file's bytes, or anything with the buffer protocol. A built-in model is found by itself; any other
    is given with `model`. Files of .npy, IDX, .amat, PGM, PPM and raw values are arrays; others are written by
    `decompress_file`.
    """
    if threads is not None:
        whole_number("threads", threads)
    find = _finder(model)

    def model_of(facts: dict[str, Any]) -> _bbans.Model:
        _arrays.check_kind(facts["kind"])
        return find(facts)

    members = _bbans.decompress(_arrays.flat_bytes(data), model_of, threads, progress)
    arrays = [_arrays.of_member(*member) for member in members]
    if len(arrays) == 1:
        return arrays[0]
    kinds = {(array.dtype.str, array.shape[1:]) for array in arrays}
    if len(kinds) > 1:
        raise InvalidArgument(
            f"{len(arrays)} files after one another, of {len(kinds)} types or shapes; bbans.decompress_file writes them"
        )
    return np.concatenate(arrays)


def compress_file(
    input: Union[str, os.PathLike, BinaryIO],
    output: Union[str, os.PathLike, BinaryIO],
    model: ModelLike = DEFAULT_MODEL,
    *,
    raw: Optional[tuple[tuple[int, ...], str]] = None,
    overwrite: bool = False,
    lanes: int = 64,
    threads: Optional[int] = None,
    particles: int = 1,
    unordered: bool = False,
    independent: bool = False,
    block: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> Report:
    """Compresses a data file, as `bbans compress` does: .npy, IDX, .amat, CSV, PGM, PPM, PNG, or a folder of PNG.

    `input` and `output` are paths or binary file objects. A file at a path appears whole or not at all, and none that is
    there is touched without `overwrite`. `raw` are the shape of a datum and the type of its values, such as
    `((28, 28), "u8")`, of a file without a header. The other options are those of `compress`.
    """
    coding = _coding(lanes, threads, particles, unordered, independent, block)
    native = found(model)._native

    def to(out: Any) -> Report:
        _, told = _bbans.compress(native, _source(input), out, coding, raw, progress)
        return Report(*told)

    if not isinstance(output, (str, os.PathLike)):
        return to(_stream(output, "write"))
    with Output(output, overwrite=overwrite, protected=[input, model]) as path:
        return to(path)


def decompress_file(
    input: Union[str, os.PathLike, BinaryIO],
    output: Union[str, os.PathLike, BinaryIO],
    model: Optional[ModelLike] = None,
    *,
    overwrite: bool = False,
    threads: Optional[int] = None,
    progress: Optional[Progress] = None,
) -> int:
    """Restores the data file, byte for byte, or the folder of PNG files, and gives the number of data.

    `input` and `output` are paths or binary file objects. What is at a path appears whole or not at all, and nothing
    that is there is touched without `overwrite`.
    """

    if threads is not None:
        whole_number("threads", threads)

    def to(out: Any) -> int:
        return _bbans.restore(_source(input), out, _finder(model), threads, progress)

    if not isinstance(output, (str, os.PathLike)):
        return to(_stream(output, "write"))
    with Output(output, overwrite=overwrite, protected=[input, model]) as path:
        return to(path)


def inspect(data: Any) -> dict[str, Any]:
    """What the header of a bbans file says; `data` are its bytes, a path or a binary file object.

    The keys are `version`, `model`, `fingerprint` (as many of its digits as the file has), `built_in` (the name of the
    built-in model, or None), `model_in_file` (the bytes of the model in the file, or None), `kind`, `shape` and `element`,
    the type of the values.
    """
    is_bytes = isinstance(data, (bytes, bytearray, memoryview, np.ndarray))
    facts = _bbans.header(_arrays.flat_bytes(data) if is_bytes else _source(data))
    facts["model_in_file"] = facts["carried"]
    return {key: value for key, value in facts.items() if key not in ("prefix", "npy", "fortran", "carried")}


def _coding(
    lanes: int,
    threads: Optional[int],
    particles: int,
    unordered: bool,
    independent: bool,
    block: Optional[int],
) -> dict[str, Any]:
    whole_number("lanes", lanes)
    whole_number("particles", particles)
    for name, value in [("threads", threads), ("block", block)]:
        if value is not None:
            whole_number(name, value)
    for name, flag in [("unordered", unordered), ("independent", independent)]:
        if not isinstance(flag, bool):
            raise InvalidArgument(f"{name} is {flag!r}; expected True or False")
    return {
        "lanes": lanes,
        "threads": threads,
        "particles": particles,
        "unordered": unordered,
        "independent": independent,
        "block": block,
    }


def _finder(model: Optional[ModelLike]) -> Callable[[dict[str, Any]], _bbans.Model]:
    """The model of a header: the one that is given, the one in the file, or the built-in one of its fingerprint."""
    if model is not None:
        native = found(model)._native
        return lambda facts: native

    carried: list[_bbans.Model] = []

    def find(facts: dict[str, Any]) -> _bbans.Model:
        if facts["carried"] is not None:
            carried.append(_bbans.Model.from_bytes(facts["carried"]))
            return carried[-1]
        # What follows in the same file may be of a model that came before.
        for native in carried:
            if native.fingerprint.startswith(facts["fingerprint"]):
                return native
        name = facts["built_in"]
        if name is None:
            raise Compatibility(
                f"the file was written with a model {facts['model']} that is not in the file and none of the built-in "
                f"ones ({', '.join(_bbans.models())}); give it as model=, or the file is damaged"
            )
        return found(name)._native

    return find


def _source(input: Any) -> Any:
    return os.fspath(input) if isinstance(input, (str, os.PathLike)) else _stream(input, "read")


def _stream(file: Any, method: str) -> Any:
    if not hasattr(file, method):
        raise InvalidArgument(f"{type(file).__name__} in place of a file; expected a path or a binary file object")
    return file


class Output:
    """A file or folder at a path that appears whole or not at all: `with Output(path) as temporary:`."""

    def __init__(
        self, path: Union[str, os.PathLike], *, overwrite: bool = False, protected: Any = ()
    ) -> None:
        self.path = Path(path)
        self.overwrite = overwrite
        self._check(protected)
        name = f".{self.path.name}.{secrets.token_hex(4)}.tmp"
        self.temporary = self.path.with_name(name)

    def _check(self, protected: Any) -> None:
        if not self.path.name:
            raise InvalidArgument(f"{self.path} is no name for a file")
        if not os.path.lexists(self.path):
            return
        if not self.overwrite:
            raise InvalidArgument(f"{self.path} is there already; overwrite=True replaces it")
        # What a link names is replaced, and the link stays.
        self.path = Path(os.path.realpath(self.path))
        if os.path.lexists(self.path) and not self.path.is_file():
            raise InvalidArgument(f"{self.path} is a folder or a device; expected the name of a file")
        for other in protected:
            same = isinstance(other, (str, os.PathLike)) and os.path.exists(other)
            if same and os.path.samefile(other, self.path):
                raise InvalidArgument(f"{self.path} is both input and output; name another output")

    def __enter__(self) -> str:
        return str(self.temporary)

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            self._remove()

    def _commit(self) -> None:
        try:
            for file in [*self.temporary.rglob("*"), self.temporary]:
                _sync(file)
            if self.overwrite:
                os.replace(self.temporary, self.path)
            elif self.temporary.is_dir():
                # Fails where something is there by now.
                os.rename(self.temporary, self.path)
            else:
                _link(self.temporary, self.path)
            _sync(self.path.parent)
        except OSError as e:
            raise IoError(f"{self.path}: {e.strerror}") from e

    def _remove(self) -> None:
        if self.temporary.is_dir():
            shutil.rmtree(self.temporary, ignore_errors=True)
        else:
            self.temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Gives a file its name, which nothing has."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        if os.path.lexists(path):
            raise FileExistsError(17, "File exists") from None
        os.rename(temporary, path)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
