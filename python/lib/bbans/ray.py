"""Many data files on the workers of a Ray cluster, each to a .bbans file of its own.

    import bbans.ray

    manifest = bbans.ray.compress(sorted(glob.glob("/data/*.npy")), "/data/packed")
    bbans.ray.decompress("/data/packed", "/data/restored")

Shards, folders and model files must be on a file system that the driver and all workers see under
the same paths.

Beside each ``NAME.bbans`` lies ``NAME.bbans.json``, the record of a shard that is done. It is
written after the file was synced to the disk, decoded, and found to restore the shard. Run again,
after whatever ended the last run, `compress` makes what has no record, or one that no longer fits
the shard, the file, the model or the options, and nothing else. Ray gives the shard of a worker
that was lost to another; one that five workers were lost with is an error. ``manifest.json`` is
written when all shards are done.

What a killed worker leaves of a file is removed at the end.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Union, cast

import numpy as np
import ray
import ray.data

import bbans
from bbans._files import Output

__all__ = ["Manifest", "Shard", "ShardError", "compress", "decompress"]

PathLike = Union[str, "os.PathLike[str]"]

_MANIFEST = "manifest.json"
# Workers that a shard may end before it is given up.
_TRIES = 5
_VERSION = 1
# Options of `compress` that change bytes, with the defaults of `bbans.compress`.
_OPTIONS: dict[str, Any] = {
    "lanes": 64,
    "particles": 1,
    "unordered": False,
    "independent": False,
    "block": None,
}


class ShardError(bbans.Error):
    """Some shards failed, and all others are done. `errors` has a sentence for each, by path."""

    def __init__(self, errors: dict[str, str]) -> None:
        first = next(iter(errors.values()))
        others = len(errors) - 1
        more = f" ({others} more failed)" if others else ""
        super().__init__(first + more)
        self.errors = errors


@dataclass(frozen=True)
class Shard:
    """A data file and what became of it. Names are without folders, sizes in bytes, digests
    SHA-256 in hexadecimal. What is restored is the input, without a gzip around it."""

    input: str
    output: str
    count: int
    input_bytes: int
    output_bytes: int
    input_sha256: str
    output_sha256: str
    restored_sha256: str


@dataclass(frozen=True)
class Manifest:
    """What `compress` made: the content of a folder's manifest.json. The files of `shards`, one
    after another, are one .bbans file, which `bbans compress SHARDS.. -c` writes too."""

    folder: Path
    model: str
    fingerprint: str
    options: dict[str, Any]
    shards: tuple[Shard, ...]

    @property
    def total(self) -> dict[str, int]:
        """Data, bytes of all inputs, and bytes of all outputs."""
        names = ("count", "input_bytes", "output_bytes")
        return {name: sum(getattr(shard, name) for shard in self.shards) for name in names}

    @classmethod
    def load(cls, folder: PathLike) -> Manifest:
        """The manifest of a folder."""
        path = Path(folder, _MANIFEST)
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise bbans.InvalidArgument(f"{path} is missing: not all shards are done") from None
        except ValueError as error:
            raise bbans.Corruption(f"{path} is damaged: {error}") from None
        if not isinstance(content, dict) or content.get("version") != _VERSION:
            raise bbans.Compatibility(f"{path} is no manifest of version {_VERSION}")
        try:
            shards = tuple(Shard(**shard) for shard in content["shards"])
            made_with = (content["model"], content["fingerprint"], content["options"])
        except (KeyError, TypeError) as error:
            raise bbans.Corruption(f"{path} is damaged: {error}") from None
        # Names become paths: none may lead out of the folder.
        for name in (name for shard in shards for name in (shard.input, shard.output)):
            if name in ("", ".", "..") or os.path.basename(name) != name:
                raise bbans.Corruption(f"{path} is damaged: {name!r} is no file's name")
        return cls(Path(folder), *made_with, shards)

    def save(self) -> None:
        """Writes it into its folder, whole or not at all."""
        content = {
            "version": _VERSION,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "options": self.options,
            "total": self.total,
            "shards": [asdict(shard) for shard in self.shards],
        }
        _write_json(self.folder / _MANIFEST, content)


def compress(
    shards: Iterable[PathLike],
    folder: PathLike,
    model: PathLike = "mnist-binary-best-2",
    *,
    workers: int | None = None,
    threads: int = 1,
    **options: Any,
) -> Manifest:
    """Compresses each of `shards` to ``folder/NAME.bbans``, where NAME is the shard's without .gz.

    Args:
        shards: paths of data files: .npy, IDX, .amat, CSV and others, each also gzipped; no PNG,
            of which pixels come back and not bytes. No two may have one name.
        folder: is made if it is missing. A file in it that has a shard's name is replaced.
        model: name of a built-in model, or path of a model file.
        workers: processes that the shards are spread over, each with the model; None is as many
            as the cluster has cores for.
        threads: of each worker, for which Ray reserves as many cores.
        options: lanes, particles, unordered, independent and block, as of `bbans.compress`.
            Unordered shards must be .npy, and a worker has two of them in memory.

    Raises:
        ShardError: some shards failed; the others are done, and there is no manifest.json.
    """
    paths = _paths(shards)
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise TypeError(f"compress() got an unexpected keyword argument '{unknown[0]}'")
    target = Path(os.path.abspath(folder))
    outputs: dict[str, str] = {}
    for path in paths:
        output = _output_name(path)
        if output in outputs:
            raise bbans.InvalidArgument(
                f"{outputs[output]} and {path} would both be {output}; give one another name"
            )
        outputs[output] = path
    for path in paths:
        if os.path.dirname(path) == str(target) and os.path.basename(path) in outputs:
            raise bbans.InvalidArgument(f"{path} is a shard and would be overwritten with another")

    name, fingerprint = _model(model)
    target.mkdir(parents=True, exist_ok=True)
    # Until all shards are done what there was is no longer, or not yet, true.
    (target / _MANIFEST).unlink(missing_ok=True)
    leftovers = [name + end for name in outputs for end in ("", ".json")]
    _remove_leftovers(target, leftovers)
    job: dict[str, Any] = {
        "paths": paths,
        "folder": target,
        "model": name,
        "fingerprint": fingerprint,
        "threads": threads,
        "options": {**_OPTIONS, **options},
    }
    done = _run(_Compressor, job, workers)
    _remove_leftovers(target, leftovers)
    made = tuple(Shard(**shard) for shard in done)
    manifest = Manifest(target, name, fingerprint, job["options"], made)
    manifest.save()
    return manifest


def decompress(
    folder_or_manifest: PathLike | Manifest,
    to_folder: PathLike,
    *,
    model: PathLike | None = None,
    workers: int | None = None,
    threads: int = 1,
) -> list[Path]:
    """Restores all shards of a folder that `compress` filled, and returns their paths.

    Files that are restored already are left as they are; others of their names are refused.

    Args:
        folder_or_manifest: the folder with the manifest.json, or the manifest.
        to_folder: is made if it is missing.
        model: name of a built-in model, or path of a model file; None is the manifest's.
        workers, threads: as of `compress`.

    Raises:
        ShardError: some shards failed; the others are restored.
    """
    if isinstance(folder_or_manifest, Manifest):
        manifest = folder_or_manifest
    else:
        manifest = Manifest.load(folder_or_manifest)
    name, fingerprint = _model(manifest.model if model is None else model)
    if fingerprint != manifest.fingerprint:
        raise bbans.Compatibility(
            f"the model {name} has the fingerprint {fingerprint[:16]}.., and the shards are of "
            f"{manifest.model} with {manifest.fingerprint[:16]}.."
        )
    target = Path(os.path.abspath(to_folder))
    target.mkdir(parents=True, exist_ok=True)
    folder = os.path.abspath(manifest.folder)
    job = {
        "paths": [os.path.join(folder, shard.output) for shard in manifest.shards],
        "folder": target,
        "model": name,
        "fingerprint": fingerprint,
        "threads": threads,
        "shards": manifest.shards,
    }
    _remove_leftovers(target, (shard.output[: -len(".bbans")] for shard in manifest.shards))
    names = [restored["name"] for restored in _run(_Decompressor, job, workers)]
    _remove_leftovers(target, names)
    return [target / name for name in names]


def _paths(shards: Iterable[PathLike]) -> list[str]:
    if isinstance(shards, (str, os.PathLike)):
        shards = [shards]
    # Workers have another current folder.
    paths = [os.path.abspath(os.fspath(shard)) for shard in shards]
    if not paths:
        raise bbans.InvalidArgument("no shards are given")
    return paths


def _output_name(path: str) -> str:
    name = os.path.basename(path)
    return (name[:-3] if name.endswith(".gz") else name) + ".bbans"


def _model(model: PathLike) -> tuple[str, str]:
    """The name of a model, or its path from the root, and its fingerprint."""
    if not isinstance(model, (str, os.PathLike)):
        raise bbans.InvalidArgument(
            f"a model of type {type(model).__name__}; expected a name, or the path of its file, "
            "which all workers see"
        )
    model = os.fspath(model)
    fingerprint = bbans.Model.load(model).fingerprint
    if model not in bbans.models():
        model = os.path.abspath(model)
    return model, fingerprint


def _run(worker: type[_Worker], job: dict[str, Any], workers: int | None) -> list[dict[str, Any]]:
    """What `worker` returns of each of the job's paths, in their order.

    Each path is a block of its own, so that whoever loses a worker loses one file's work.
    """
    for what, number in (("threads", job["threads"]), ("workers", workers)):
        if number is not None and number < 1:
            raise bbans.InvalidArgument(f"{what} is {number}; expected at least 1")
    if not ray.is_initialized():
        ray.init()
    count = len(job["paths"])
    if workers is None:
        workers = int(ray.cluster_resources().get("CPU", 1) // job["threads"])
    # One task at a time for each: a second would wait behind the first while others idle.
    pool = ray.data.ActorPoolStrategy(
        size=max(1, min(workers, count)), max_tasks_in_flight_per_actor=1
    )
    rows = (
        ray.data.from_items([{"index": i} for i in range(count)], override_num_blocks=count)
        .map_batches(
            worker,
            fn_constructor_args=(job,),
            batch_size=1,
            batch_format="numpy",
            compute=pool,
            num_cpus=job["threads"],
        )
        .take_all()
    )
    rows.sort(key=lambda row: row["index"])
    if [row["index"] for row in rows] != list(range(count)):
        raise bbans.Error(f"Ray returned {len(rows)} results of {count} shards")
    results = [json.loads(row["result"]) for row in rows]
    errors = {
        path: result["error"] for path, result in zip(job["paths"], results) if "error" in result
    }
    if errors:
        raise ShardError(errors)
    return results


class _Worker:
    """An actor: loads the model once, and is given the numbers of files."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.paths: list[str] = job["paths"]
        self.folder: Path = job["folder"]
        self.threads: int = job["threads"]
        self.job = job
        self._model: bbans.Model | None = None

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        results = [json.dumps(self._guarded(int(index))) for index in batch["index"]]
        return {"index": batch["index"], "result": np.array(results, dtype=object)}

    def _guarded(self, index: int) -> dict[str, Any]:
        # An exception that leaves a task ends the run, and the shards that are left with it.
        path = self.paths[index]
        try:
            return self._counted(index, path)
        except bbans.Error as error:
            text = str(error)
        except OSError as error:
            of = "" if error.filename in (None, path) else f"{error.filename}: "
            text = f"{of}{error.strerror or error}"
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        return {"error": text if text.startswith(f"{path}: ") else f"{path}: {text}"}

    def _counted(self, index: int, path: str) -> dict[str, Any]:
        # Ray gives what a worker was lost with to another, for ever.
        tries = self.folder / f".{self.name(index, path)}.tries.tmp"
        with tries.open("ab") as file:
            file.write(b".")
            file.flush()
            count = file.tell()
        try:
            if count > _TRIES:
                raise bbans.Error(f"{_TRIES} workers were lost with it; is there enough memory?")
            return self.one(index, path)
        finally:
            tries.unlink(missing_ok=True)

    def name(self, index: int, path: str) -> str:
        """The name of what is made of the file."""
        raise NotImplementedError

    @property
    def model(self) -> bbans.Model:
        # Not in `__init__`: Ray would not tell in a sentence why it failed, and try again.
        if self._model is None:
            model = bbans.Model.load(self.job["model"])
            if model.fingerprint != self.job["fingerprint"]:
                raise bbans.Compatibility(
                    f"the model {self.job['model']} is another on the worker {platform.node()}"
                )
            self._model = model
        return self._model

    def one(self, index: int, path: str) -> dict[str, Any]:
        """Does the file, and returns what is to be known of it."""
        raise NotImplementedError


class _Compressor(_Worker):
    def name(self, index: int, path: str) -> str:
        return _output_name(path)

    def one(self, index: int, path: str) -> dict[str, Any]:
        options: dict[str, Any] = self.job["options"]
        output = self.folder / _output_name(path)
        record_path = Path(f"{output}.json")
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise bbans.InvalidArgument("not a file")
        input_sha256, input_bytes = _digest(path)
        made_with = {"fingerprint": self.job["fingerprint"], "options": options}

        record = _read_json(record_path)
        shard = record.get("shard")
        if (
            isinstance(shard, dict)
            and {name: record.get(name) for name in made_with} == made_with
            and shard.get("input") == os.path.basename(path)
            and shard.get("input_bytes") == input_bytes
            and shard.get("input_sha256") == input_sha256
            and output.is_file()
            and _digest(output) == (shard.get("output_sha256"), shard.get("output_bytes"))
        ):
            return shard

        with open(path, "rb") as file:
            if file.read(8) == b"\x89PNG\r\n\x1a\n":
                raise bbans.InvalidArgument("of PNG pixels come back and not bytes; make it .npy")
        report = bbans.compress_file(
            path, output, self.model, overwrite=True, threads=self.threads, **options
        )
        output_sha256, output_bytes = _digest(output)
        try:
            restored_sha256 = self._compare(path, input_sha256, output)
        except BaseException:
            # Nobody should take it for one that is safe.
            output.unlink()
            raise
        shard = Shard(
            input=os.path.basename(path),
            output=output.name,
            count=report.count,
            input_bytes=input_bytes,
            output_bytes=output_bytes,
            input_sha256=input_sha256,
            output_sha256=output_sha256,
            restored_sha256=restored_sha256,
        )
        _write_json(record_path, {**made_with, "shard": asdict(shard)})
        return asdict(shard)

    def _compare(self, path: str, input_sha256: str, output: Path) -> str:
        """Decodes `output`, compares with the shard, and returns the digest of what came out."""
        restored = io.BytesIO() if self.job["options"]["unordered"] else _Digest()
        bbans.decompress_file(output, cast(BinaryIO, restored), self.model, threads=self.threads)
        if isinstance(restored, _Digest):
            sha256 = restored.hexdigest()
            if sha256 == input_sha256:
                return sha256
            with _open(path) as file:
                same = _digest_of(file)[0] == sha256
        else:
            sha256 = hashlib.sha256(restored.getbuffer()).hexdigest()
            restored.seek(0)
            with _open(path) as file:
                same = _is_same_set(file, restored, self.model.dims)
        # What was compared just now must be what the record is of.
        if not same or _digest(path)[0] != input_sha256:
            raise bbans.Corruption("what was decoded is not the shard, which may have changed")
        return sha256


class _Decompressor(_Worker):
    def name(self, index: int, path: str) -> str:
        return self.job["shards"][index].output[: -len(".bbans")]

    def one(self, index: int, path: str) -> dict[str, Any]:
        shard: Shard = self.job["shards"][index]
        target = self.folder / self.name(index, path)
        done = {"name": target.name}
        if target.exists():
            if _digest(target)[0] == shard.restored_sha256:
                return done
            raise bbans.InvalidArgument(f"{target} is there and is not what would be restored")
        if _digest(path) != (shard.output_sha256, shard.output_bytes):
            raise bbans.Corruption("damaged: its digest is not that of the manifest")
        bbans.decompress_file(path, target, self.model, threads=self.threads)
        if _digest(target)[0] != shard.restored_sha256:
            target.unlink()
            raise bbans.Corruption("what was decoded is not the shard")
        return done


class _Digest(io.RawIOBase):
    """A file that is written to and not kept, but its digest is."""

    def __init__(self) -> None:
        super().__init__()
        self._sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sha256.update(data)
        return memoryview(data).nbytes

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _digest_of(file: BinaryIO) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _digest(path: PathLike) -> tuple[str, int]:
    """Digest and size of a file as it is."""
    with open(path, "rb") as file:
        return _digest_of(file)


def _open(path: str) -> Any:
    """A file, without a gzip around it."""
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else open(path, "rb")


def _is_same_set(one: BinaryIO, other: BinaryIO, dims: int) -> bool:
    """Whether two .npy files have the same data of `dims` values, in whatever order."""
    try:
        arrays = [np.load(file, allow_pickle=False) for file in (one, other)]
    except ValueError:
        raise bbans.InvalidArgument("unordered shards must be .npy files") from None
    if arrays[0].shape != arrays[1].shape or arrays[0].dtype != arrays[1].dtype:
        return False
    if not arrays[0].size:
        return True
    rows = [np.ascontiguousarray(array).reshape(-1, dims) for array in arrays]
    # As one value a row, rows are sorted by their bytes.
    sets = [np.sort(r.view(f"V{dims * r.itemsize}"), axis=0) for r in rows]
    return sets[0].tobytes() == sets[1].tobytes()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a file whole or not at all, and syncs it."""
    with Output(path, overwrite=True) as temporary:
        Path(temporary).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Removes what is left of files with these names that were never finished."""
    wanted = set(names)
    for path in folder.glob(".*.tmp"):
        # As `Output` names them: .NAME.DIGITS.tmp
        if path.name[1:].rsplit(".", 2)[0] in wanted:
            path.unlink(missing_ok=True)


def _read_json(path: Path) -> dict[str, Any]:
    """The object in a file; an empty one if there is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
