"""The codec for numcodecs."""

from __future__ import annotations

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

numcodecs = pytest.importorskip("numcodecs")

import bbans  # noqa: E402
from bbans.numcodecs import BBANS, add_model  # noqa: E402

SMALL = "mnist-binary-small"
MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return bbans.Model.load(SMALL).sample(6)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    source = MODELS / f"{SMALL}.safetensors"
    if not source.is_file():
        pytest.skip("no model files beside the tests")
    return Path(shutil.copy(source, tmp_path / "model.safetensors"))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "?", "<i2", ">i4", "<f8"])
@pytest.mark.parametrize("shape", [(6, 28, 28), (2, 3, 28, 28), (1, 28, 28), (28, 28), (6, 784)])
def test_chunks_come_back_as_zarr_lays_them_out(
    images: np.ndarray, shape: tuple[int, ...], dtype: str, order: str
) -> None:
    chunk = np.asarray(np.resize(images, shape).astype(dtype), order=order)
    codec = BBANS(SMALL)
    decoded = codec.decode(codec.encode(chunk))
    assert decoded.dtype == chunk.dtype
    # As Zarr does with whatever a compressor returns.
    restored = decoded.reshape(-1, order="A").reshape(shape, order=order)
    np.testing.assert_array_equal(restored, chunk)
    out = np.empty_like(chunk)
    assert codec.decode(codec.encode(chunk), out) is out
    np.testing.assert_array_equal(out, chunk)


def test_a_chunk_is_a_file_that_needs_no_codec(images: np.ndarray) -> None:
    np.testing.assert_array_equal(bbans.decompress(BBANS(SMALL).encode(images)), images)


def test_chunks_that_lie_apart_in_memory(images: np.ndarray) -> None:
    codec = BBANS(SMALL)
    np.testing.assert_array_equal(codec.decode(codec.encode(images[::2])), images[::2])


def test_the_configuration_makes_the_same_codec(images: np.ndarray) -> None:
    codec = BBANS(SMALL, lanes=16, independent=True, threads=2)
    config = codec.get_config()
    assert config["id"] == "bbans"
    assert config["fingerprint"] == bbans.Model.load(SMALL).fingerprint
    assert "threads" not in config
    again = numcodecs.get_codec(config)
    assert again == codec
    assert again.encode(images) == codec.encode(images)
    assert pickle.loads(pickle.dumps(codec)) == codec
    assert codec.encode(images) != BBANS(SMALL).encode(images)


@pytest.mark.parametrize(
    "chunk",
    [
        np.zeros((6, 28, 27), "u1"),
        np.zeros(784, "u1"),
        bytes(784),
        np.arange(2 * 784, dtype="u1").reshape(2, 28, 28),
        np.full((2, 28, 28), 0.5),
        np.zeros((2, 28, 28), "c16"),
        np.zeros((2, 28, 28), object),
    ],
    ids=["shape", "flat", "bytes", "grey", "fractions", "complex", "objects"],
)
def test_what_the_model_does_not_fit_is_refused(chunk: np.ndarray | bytes) -> None:
    with pytest.raises(bbans.Error) as error:
        BBANS(SMALL).encode(chunk)
    assert "\n" not in str(error.value)


def test_damage_is_found(images: np.ndarray) -> None:
    codec = BBANS(SMALL)
    chunk = codec.encode(images)
    half = len(chunk) // 2
    for damaged in (chunk[:-9], b"", chunk[:half] + bytes(8) + chunk[half:]):
        with pytest.raises(bbans.Error):
            codec.decode(damaged)


def test_another_fingerprint_is_refused_both_ways(images: np.ndarray) -> None:
    chunk = BBANS(SMALL).encode(images)
    other = BBANS(SMALL, fingerprint="0" * 64)
    for refused in (lambda: other.encode(images), lambda: other.decode(chunk)):
        with pytest.raises(bbans.Compatibility, match="fingerprint"):
            refused()


def test_a_path_with_another_model_is_refused(images: np.ndarray, model_file: Path) -> None:
    codec = BBANS(model_file)
    chunk = codec.encode(images)
    np.testing.assert_array_equal(codec.decode(chunk), images)
    shutil.copy(MODELS / "mnist-binary-balanced.safetensors", model_file)
    with pytest.raises(bbans.Compatibility, match="fingerprint"):
        codec.decode(chunk)


def test_a_model_may_lie_elsewhere(
    images: np.ndarray, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bbans.numcodecs._added", {})
    codec = BBANS(model_file)
    chunk = codec.encode(images)
    moved = model_file.rename(model_file.with_name("moved.safetensors"))
    with pytest.raises(bbans.IoError, match="add_model"):
        codec.decode(chunk)
    # The codec is made all the same: attributes of its array can be read.
    assert numcodecs.get_codec(codec.get_config()) == codec
    assert add_model(moved) == codec.fingerprint
    np.testing.assert_array_equal(codec.decode(chunk), images)


@pytest.mark.parametrize(
    "given",
    [
        {"lanes": 0},
        {"particles": "two"},
        {"block": 0},
        {"threads": -1},
        {"fingerprint": "ab"},
        {"model": 3},
    ],
)
def test_arguments_are_checked_when_the_codec_is_made(given: dict[str, object]) -> None:
    with pytest.raises(bbans.InvalidArgument, match=next(iter(given))):
        BBANS(**given)


def test_a_path_is_kept_from_the_root(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_file.parent)
    assert Path(BBANS(model_file.name).model) == model_file


def test_threads_share_a_model_that_is_loaded_once(
    images: np.ndarray, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[bytes] = []
    from_bytes = bbans.Model.from_bytes

    def counted(data: bytes) -> bbans.Model:
        loads.append(data)
        return from_bytes(data)

    monkeypatch.setattr(bbans.Model, "from_bytes", staticmethod(counted))
    fingerprint = bbans.Model.load(SMALL).fingerprint
    config = {"id": "bbans", "model": str(model_file), "fingerprint": fingerprint}

    def round_trip(i: int) -> np.ndarray:
        codec = numcodecs.get_codec(config)
        return codec.decode(codec.encode(images[: i % 6 + 1]))

    with ThreadPoolExecutor(4) as pool:
        for i, decoded in enumerate(pool.map(round_trip, range(12))):
            np.testing.assert_array_equal(decoded, images[: i % 6 + 1])
    assert len(loads) == 1
