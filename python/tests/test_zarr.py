"""Zarr arrays of formats 2 and 3. With zarr-python 2 there is only format 2."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")

import bbans  # noqa: E402
from bbans.numcodecs import BBANS  # noqa: E402

ZARR_3 = int(zarr.__version__.split(".")[0]) >= 3
FORMATS = [2, 3] if ZARR_3 else [2]
SMALL = "mnist-binary-small"

if ZARR_3:
    from bbans.zarr import BBANSCodec

only_zarr_3 = pytest.mark.skipif(not ZARR_3, reason="zarr-python 2")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    # 23 in chunks of 5: the last chunk has two images beyond the array.
    return bbans.Model.load(SMALL).sample(23)


def create(
    path: Path,
    zarr_format: int,
    *,
    shape: tuple[int, ...] = (23, 28, 28),
    chunks: tuple[int, ...] = (5, 28, 28),
    dtype: Any = "u1",
    model: str = SMALL,
    codec: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    common = {"shape": shape, "chunks": chunks, "dtype": dtype, **options}
    if zarr_format == 3:
        serializer = BBANSCodec(model, **(codec or {}))
        return zarr.create_array(path, serializer=serializer, compressors=None, **common)
    compressor = BBANS(model, **(codec or {}))
    if ZARR_3:
        return zarr.create_array(path, compressors=compressor, zarr_format=2, **common)
    return zarr.open(str(path), mode="w", compressor=compressor, **common)


def chunk_files(path: Path) -> list[Path]:
    files = (f for f in path.rglob("*") if f.is_file())
    return sorted(f for f in files if f.name != "zarr.json" and not f.name.startswith(".z"))


def read_afresh(path: Path, into: Path) -> np.ndarray:
    """What a process reads that imports nothing but zarr."""
    program = (
        "import sys, zarr\n"
        "array = zarr.open(sys.argv[1], mode='r')[:]\n"
        "import numpy\n"
        "numpy.save(sys.argv[2], array)\n"
    )
    subprocess.run([sys.executable, "-c", program, path, into], check=True, cwd=into.parent)
    return np.load(into)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_fresh_process_reads_what_was_written(
    images: np.ndarray, tmp_path: Path, zarr_format: int
) -> None:
    path = tmp_path / "images.zarr"
    array = create(path, zarr_format)
    array[:] = images
    files = chunk_files(path)
    assert len(files) == 5
    # Each chunk is a file that needs no Zarr.
    np.testing.assert_array_equal(bbans.decompress(files[0].read_bytes()), images[:5])
    np.testing.assert_array_equal(read_afresh(path, tmp_path / "read.npy"), images)


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_are_written_and_read(
    images: np.ndarray, tmp_path: Path, zarr_format: int, order: str
) -> None:
    # In format 3 an array has no order in memory.
    options = {"order": order} if zarr_format == 2 else {}
    array = create(tmp_path / "a.zarr", zarr_format, **options)
    array[:] = np.asarray(images, order=order)
    np.testing.assert_array_equal(array[:], images)
    np.testing.assert_array_equal(array[3:11, 5:9, ::2], images[3:11, 5:9, ::2])
    np.testing.assert_array_equal(array[22], images[22])
    array[4:12] = 1 - images[4:12]
    expected = images.copy()
    expected[4:12] = 1 - images[4:12]
    np.testing.assert_array_equal(array[:], expected)


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("dtype", ["?", "<i2", ">i4", "<f4"])
def test_types_come_back(images: np.ndarray, tmp_path: Path, zarr_format: int, dtype: str) -> None:
    if zarr_format == 3 and dtype[0] == ">" and zarr.__version__.startswith("3.0."):
        pytest.skip("Zarr 3.0 has no other byte order in format 3")
    path = tmp_path / "a.zarr"
    array = create(path, zarr_format, dtype=dtype)
    array[:] = images.astype(dtype)
    np.testing.assert_array_equal(array[:], images.astype(dtype))
    np.testing.assert_array_equal(read_afresh(path, tmp_path / "r.npy"), images.astype(dtype))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_several_axes_number_the_images(
    images: np.ndarray, tmp_path: Path, zarr_format: int
) -> None:
    data = images[:20].reshape(4, 5, 28, 28)
    array = create(tmp_path / "a.zarr", zarr_format, shape=data.shape, chunks=(3, 2, 28, 28))
    array[:] = data
    np.testing.assert_array_equal(array[:], data)


@only_zarr_3
def test_chunks_in_shards_and_transposed(images: np.ndarray, tmp_path: Path) -> None:
    from zarr.codecs import TransposeCodec

    sharded = create(tmp_path / "s.zarr", 3, shards=(10, 28, 28))
    sharded[:] = images
    assert len(chunk_files(tmp_path / "s.zarr")) == 3
    np.testing.assert_array_equal(sharded[:], images)
    # What counts is the shape that comes to the codec.
    last = create(
        tmp_path / "t.zarr",
        3,
        shape=(28, 28, 23),
        chunks=(28, 28, 5),
        filters=[TransposeCodec(order=(2, 0, 1))],
    )
    last[:] = np.moveaxis(images, 0, 2)
    np.testing.assert_array_equal(last[:], np.moveaxis(images, 0, 2))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_a_damaged_chunk_is_found_and_costs_no_other(
    images: np.ndarray, tmp_path: Path, zarr_format: int
) -> None:
    path = tmp_path / "a.zarr"
    array = create(path, zarr_format)
    array[:] = images
    file = chunk_files(path)[1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)
    with pytest.raises(bbans.Error):
        array[5:10]
    np.testing.assert_array_equal(array[:5], images[:5])
    np.testing.assert_array_equal(array[10:], images[10:])


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize(
    ("dtype", "factor"), [("c16", 1), ("f8", 0.5), ("u1", 1)], ids=["complex", "halves", "grey"]
)
def test_values_that_are_not_the_models_are_refused(
    tmp_path: Path, zarr_format: int, dtype: str, factor: float
) -> None:
    array = create(tmp_path / "a.zarr", zarr_format, dtype=dtype)
    with pytest.raises(bbans.Error):
        array[:] = (np.arange(23 * 784).reshape(23, 28, 28) % 251 * factor).astype(dtype)
    assert not chunk_files(tmp_path / "a.zarr")


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_chunks_of_another_shape_are_refused(tmp_path: Path, zarr_format: int) -> None:
    with pytest.raises(bbans.Error, match="shape"):
        # Zarr tells a codec the shape of its chunks when the first one is written.
        create(tmp_path / "a.zarr", zarr_format, chunks=(5, 14, 28))[:] = 1


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_another_fingerprint_is_refused(
    images: np.ndarray, tmp_path: Path, zarr_format: int
) -> None:
    path = tmp_path / "a.zarr"
    array = create(path, zarr_format)
    array[:] = images
    metadata = path / ("zarr.json" if zarr_format == 3 else ".zarray")
    fingerprint = bbans.Model.load(SMALL).fingerprint
    text = metadata.read_text()
    assert fingerprint in text
    metadata.write_text(text.replace(fingerprint, "0" * 64))
    # It can be opened, as for its attributes no model is needed.
    other = zarr.open(str(path), mode="r+")
    assert other.shape == images.shape
    with pytest.raises(bbans.Compatibility, match="fingerprint"):
        other[:]
    with pytest.raises(bbans.Compatibility, match="fingerprint"):
        other[:5] = images[:5]


@only_zarr_3
def test_a_chunk_of_another_array_is_refused(images: np.ndarray, tmp_path: Path) -> None:
    array = create(tmp_path / "a.zarr", 3)
    array[:] = images
    file = chunk_files(tmp_path / "a.zarr")[0]
    for other in (images[:4], images[:5].astype("i1")):
        file.write_bytes(bbans.compress(other, SMALL))
        with pytest.raises(bbans.Compatibility, match="chunk"):
            array[:]


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_options_are_kept_with_the_array(
    images: np.ndarray, tmp_path: Path, zarr_format: int
) -> None:
    path = tmp_path / "a.zarr"
    codec = {"lanes": 4, "particles": 2, "block": 3}
    create(path, zarr_format, codec=codec)[:] = images
    metadata = json.loads((path / ("zarr.json" if zarr_format == 3 else ".zarray")).read_text())
    kept = metadata["codecs"][0]["configuration"] if zarr_format == 3 else metadata["compressor"]
    assert {name: kept[name] for name in codec} == codec
    zarr.open(str(path), mode="r+")[:5] = images[5:10]
    expected = bbans.compress(images[5:10], SMALL, **codec)
    assert chunk_files(path)[0].read_bytes() == expected


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_chunks_are_decoded_side_by_side(
    images: np.ndarray, tmp_path: Path, zarr_format: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = create(tmp_path / "a.zarr", zarr_format, shape=(20, 28, 28))
    array[:] = images[:20]
    decompress = bbans.decompress
    # Four chunks in pairs: one that waits for another's end would break the barrier.
    pairs = threading.Barrier(2)
    threads: list[threading.Thread] = []

    def paired(*args: Any, **options: Any) -> np.ndarray:
        threads.append(threading.current_thread())
        pairs.wait(timeout=30)
        return decompress(*args, **options)

    monkeypatch.setattr("bbans.decompress", paired)
    if ZARR_3:
        np.testing.assert_array_equal(array[:], images[:20])
        # The thread of Zarr's event loop is none of them.
        assert not any(thread.name.startswith("zarr_io") for thread in threads)
    else:
        with ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(lambda i: array[i : i + 5], range(0, 20, 5)))
        np.testing.assert_array_equal(np.concatenate(parts), images[:20])
    assert len(threads) == 4
