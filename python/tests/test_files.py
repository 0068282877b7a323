"""Files, streams, models from files, and signals."""

import io
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import bbans

SMALL = "mnist-binary-small"


@pytest.fixture(scope="module")
def images():
    return bbans.Model.load(SMALL).sample(200)


@pytest.fixture
def npy(tmp_path, images):
    path = tmp_path / "images.npy"
    np.save(path, images)
    return path


def names(folder):
    return sorted(os.listdir(folder))


def test_an_array_and_its_file_give_the_same_bytes(npy, tmp_path, images):
    out = tmp_path / "images.npy.bbans"
    report = bbans.compress_file(npy, out, model=SMALL)
    assert out.read_bytes() == bbans.compress(images, model=SMALL)
    assert report.count == 200 and report.dims == 784
    assert report.input_bytes == npy.stat().st_size and report.file_bytes == out.stat().st_size
    assert report.bits_per_dim == 8 * report.file_bytes / 200 / 784
    assert bbans.decompress_file(out, tmp_path / "back.npy") == 200
    assert (tmp_path / "back.npy").read_bytes() == npy.read_bytes()
    assert names(tmp_path) == ["back.npy", "images.npy", "images.npy.bbans"]


def test_streams(npy, images):
    out, back = io.BytesIO(), io.BytesIO()
    with open(npy, "rb") as file:
        bbans.compress_file(file, out, model=SMALL)
    assert out.getvalue() == bbans.compress(images, model=SMALL)
    out.seek(0)
    bbans.decompress_file(out, back)
    assert back.getvalue() == npy.read_bytes()


class Fails(io.RawIOBase):
    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, _):
        raise ZeroDivisionError("read")

    def write(self, _):
        raise ZeroDivisionError("write")


def test_streams_that_fail(npy, tmp_path):
    with pytest.raises(ZeroDivisionError, match="read"):
        bbans.compress_file(Fails(), io.BytesIO(), model=SMALL)
    with pytest.raises(ZeroDivisionError, match="write"):
        bbans.compress_file(npy, Fails(), model=SMALL)
    with pytest.raises(bbans.IoError, match="bytes"):
        bbans.compress_file(io.StringIO("text"), io.BytesIO(), model=SMALL)
    with pytest.raises(bbans.InvalidArgument, match="int"):
        bbans.compress_file(3, io.BytesIO(), model=SMALL)
    with pytest.raises(ZeroDivisionError, match="read"):
        bbans.compress_file(Fails(), tmp_path / "out.bbans", model=SMALL)
    assert names(tmp_path) == ["images.npy"]


@pytest.mark.parametrize("given", [None, -1, 10**6, "x", InterruptedError("again"), KeyboardInterrupt()])
def test_what_a_write_says_is_checked(npy, given):
    class Output(io.RawIOBase):
        def write(self, data):
            if isinstance(given, BaseException):
                raise given
            return given

    expected = type(given) if isinstance(given, BaseException) else bbans.IoError
    with pytest.raises(expected):
        bbans.compress_file(npy, Output(), model=SMALL)


def test_links_stay_and_devices_are_refused(npy, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    bbans.compress_file(npy, link, model=SMALL, overwrite=True)
    assert link.is_symlink() and bbans.decompress(target.read_bytes()).shape == (200, 28, 28)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(bbans.InvalidArgument, match="device"):
        bbans.compress_file(npy, tmp_path / "pipe", model=SMALL, overwrite=True)


def test_a_picture_in_another_folder(tmp_path, images):
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "0.png"
    path.write_bytes(png(images[0] * 255))
    bbans.compress_file(path, tmp_path / "0.bbans", model=SMALL)
    assert bbans.decompress_file(tmp_path / "0.bbans", tmp_path / "back.png") == 1


def test_nothing_is_overwritten_and_nothing_is_half_there(npy, tmp_path):
    out = tmp_path / "out.bbans"
    out.write_bytes(b"mine")
    with pytest.raises(bbans.InvalidArgument, match="overwrite=True"):
        bbans.compress_file(npy, out, model=SMALL)
    assert out.read_bytes() == b"mine"
    bbans.compress_file(npy, out, model=SMALL, overwrite=True)
    damaged = bytearray(out.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    out.write_bytes(damaged)
    with pytest.raises(bbans.Corruption):
        bbans.decompress_file(out, tmp_path / "back.npy")
    with pytest.raises(bbans.InvalidArgument, match="both input and output"):
        bbans.compress_file(npy, npy, model=SMALL, overwrite=True)
    with pytest.raises(bbans.InvalidArgument, match="folder"):
        bbans.compress_file(npy, tmp_path, model=SMALL, overwrite=True)
    assert names(tmp_path) == ["images.npy", "out.bbans"]


def test_paths_that_are_not_there(npy, tmp_path):
    with pytest.raises(bbans.IoError, match="no-such-file"):
        bbans.compress_file(tmp_path / "no-such-file.npy", tmp_path / "out", model=SMALL)
    with pytest.raises(bbans.IoError, match="no-such-folder"):
        bbans.compress_file(npy, tmp_path / "no-such-folder" / "out", model=SMALL)
    with pytest.raises(bbans.InvalidArgument, match="bbans file already"):
        bbans.compress_file(npy, tmp_path / "out", model=SMALL)
        bbans.compress_file(tmp_path / "out", tmp_path / "again", model=SMALL)
    with pytest.raises(bbans.Corruption, match="not a bbans file"):
        bbans.decompress_file(npy, tmp_path / "again")


def test_raw_values_and_folders_of_pictures(tmp_path, images):
    (tmp_path / "raw").write_bytes(images.tobytes())
    raw = ((28, 28), "u8")
    bbans.compress_file(tmp_path / "raw", tmp_path / "raw.bbans", model=SMALL, raw=raw)
    assert (bbans.decompress((tmp_path / "raw.bbans").read_bytes()) == images).all()
    with pytest.raises(bbans.InvalidArgument, match="expected one of bool"):
        bbans.compress_file(tmp_path / "raw", io.BytesIO(), model=SMALL, raw=((28, 28), "u9"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i, image in enumerate(images[:3]):
        (pictures / f"{i}.png").write_bytes(png(image * 255))
    bbans.compress_file(pictures, tmp_path / "pictures.bbans", model=SMALL)
    bbans.decompress_file(tmp_path / "pictures.bbans", tmp_path / "back")
    assert names(tmp_path / "back") == ["0.png", "1.png", "2.png"]
    with pytest.raises(bbans.InvalidArgument, match="decompress_file"):
        bbans.decompress((tmp_path / "pictures.bbans").read_bytes())
    with pytest.raises(bbans.InvalidArgument, match="there already"):
        bbans.decompress_file(tmp_path / "pictures.bbans", tmp_path / "back")


def png(pixels):
    """A grey PNG of bytes `[rows, columns]`."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">2I5B", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def test_models_come_and_go(tmp_path, images):
    model = bbans.Model.load(SMALL)
    path = tmp_path / "model.safetensors"
    model.save(path)
    assert path.read_bytes() == model.to_bytes()
    with pytest.raises(bbans.InvalidArgument, match="there already"):
        model.save(path)
    again = bbans.Model.load(path)
    assert again.fingerprint == model.fingerprint and again.description == model.description
    for given in [path, str(path), again, SMALL]:
        assert bbans.compress(images, model=given) == bbans.compress(images, model=model)
    with pytest.raises(bbans.ModelError):
        bbans.Model.from_bytes(b"no model")
    path.write_bytes(b"no model any more")
    with pytest.raises(bbans.ModelError):
        bbans.compress(images, model=path)


def test_what_a_model_says_of_itself():
    assert bbans.models()[0] == SMALL and "mnist-binary-best-2" in bbans.models()
    model = bbans.Model.load(SMALL)
    assert model.name == SMALL and model.shape == (28, 28) and model.dims == 784
    assert model.levels == 2 and sum(model.groups) == model.latents == 40
    assert len(model.fingerprint) == 64 and SMALL in repr(model)


def test_networks_and_bounds(images):
    model = bbans.Model.load(SMALL)
    mean, log_sigma = model.encode(images)
    assert mean.shape == log_sigma.shape == (200, 40) and mean.dtype == np.float32
    logits = model.decode(mean)
    assert logits.shape == (200, 784, 1)
    bound = model.elbo(images, samples=64)
    assert np.allclose(bound.bits, bound.kl_bits + bound.reconstruction_bits)
    assert (bound.importance_bits < bound.bits + 1e-9).mean() > 0.99
    # The closed form of the KL divergence, from the same means.
    m, s = mean.astype(float), log_sigma.astype(float)
    kl = (0.5 * (m * m + np.exp(2 * s) - 1) - s).sum(1) / np.log(2)
    assert np.allclose(kl, bound.kl_bits, rtol=1e-5)
    noise = np.random.default_rng(1).normal(size=mean.shape).astype(np.float32)
    z = mean + np.exp(log_sigma) * noise
    x = images.reshape(200, 784)
    bits = np.logaddexp(0, np.where(x, -1, 1) * model.decode(z)[..., 0].astype(float)).sum(1) / np.log(2)
    assert bits.mean() == pytest.approx(bound.reconstruction_bits.mean(), rel=0.02)
    with pytest.raises(bbans.InvalidArgument, match="float64"):
        model.decode(mean.astype(float))
    with pytest.raises(bbans.InvalidArgument, match="noise"):
        model.encode(images, noise[:, :3])
    with pytest.raises(bbans.ModelError, match="latents"):
        model.decode(mean[:, :3])
    with pytest.raises(bbans.InvalidArgument, match="samples is 0"):
        model.elbo(images, samples=0)
    with pytest.raises(bbans.InvalidArgument, match="no value|values are none|grey"):
        model.elbo(images + np.float32(0.5))


def test_samples_are_those_of_their_seed():
    model = bbans.Model.load(SMALL)
    assert (model.sample(130)[:100] == model.sample(100)).all()
    assert (model.sample(100, seed=1) != model.sample(100)).any()
    with pytest.raises(bbans.InvalidArgument, match="count is -1"):
        model.sample(-1)
    with pytest.raises(bbans.InvalidArgument, match="seed is -1"):
        model.sample(1, seed=-1)


@pytest.mark.parametrize("call", ["model.sample(10**6)", "model.elbo(x, samples=10**4)"])
def test_ctrl_c_stops_networks(call):
    # Some of the work is done, and most of it is not.
    script = f"""
import _thread, signal, threading
import bbans
signal.signal(signal.SIGINT, signal.default_int_handler)
model = bbans.Model.load("mnist-binary-best-2")
x = model.sample(1000)
threading.Timer(0.5, _thread.interrupt_main).start()
try:
    {call}
    print("done")
except KeyboardInterrupt:
    print("stopped")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.stdout == "stopped\n", done.stderr


def test_more_samples_than_there_is_memory_for():
    with pytest.raises(bbans.InvalidArgument, match="not enough memory"):
        bbans.Model.load(SMALL).sample(1 << 50)


def test_ctrl_c_stops_the_work_and_leaves_nothing(tmp_path, images):
    script = textwrap.dedent(
        """
        import os, signal, sys, threading
        import numpy as np, bbans
        # Where this runs in the background it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        many = np.concatenate([bbans.Model.load("mnist-binary-small").sample(200)] * 50)
        np.save("many.npy", many)

        def progress(count):
            if count < 2000:
                os.kill(os.getpid(), signal.SIGINT)

        try:
            bbans.compress_file("many.npy", "out.bbans", model="mnist-binary-small", block=500, progress=progress)
        except KeyboardInterrupt:
            print("stopped")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "stopped\n", done.stderr
    assert names(tmp_path) == ["many.npy"]


def test_a_file_that_carries_its_model(tmp_path):
    golden = Path(__file__).parents[2] / "tests" / "golden" / "v4"
    file, data = golden / "archive-of-bits.0.bbans", np.load(golden / "archive-of-bits.npy")
    assert np.array_equal(bbans.decompress(file.read_bytes()), data)
    assert bbans.decompress_file(file, tmp_path / "back.npy") == len(data)
    assert (tmp_path / "back.npy").read_bytes() == (golden / "archive-of-bits.npy").read_bytes()
    facts = bbans.inspect(file)
    assert facts["version"] == 4 and facts["built_in"] is None
    model = bbans.Model.from_bytes(facts["model_in_file"])
    assert model.latents == 0 and model.fingerprint.startswith(facts["fingerprint"])
    plain = bbans.compress(data, model=model)
    assert bbans.inspect(plain)["model_in_file"] is None
    assert np.array_equal(bbans.decompress(plain, model=model), data)
    with pytest.raises(bbans.Compatibility, match="not in the file"):
        bbans.decompress(plain)
    assert np.all(model.elbo(data).kl_bits == 0)
