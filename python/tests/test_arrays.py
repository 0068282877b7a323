"""Arrays in, arrays out."""

import gzip
import io
import struct
import threading

import numpy as np
import pytest

import bbans

SMALL = "mnist-binary-small"


@pytest.fixture(scope="module")
def images():
    return bbans.Model.load(SMALL).sample(150)


def restored(array, **options):
    file = bbans.compress(array, model=SMALL, **options)
    back = bbans.decompress(file)
    assert back.dtype == array.dtype and back.shape == array.shape
    return file, back


@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "i1", "<u2", ">u2", "<i2", ">i2", "<i4", ">i4", "<u4", "<i8", ">u8", "<f4", ">f4", "<f8"]
)
def test_dtype_and_shape_come_back(images, dtype):
    array = images.astype(dtype)
    assert (restored(array)[1] == array).all()


def test_layouts_in_memory_give_the_same_file_or_the_same_array(images):
    plain, _ = restored(images)
    for other in [images[:, :, :], np.ascontiguousarray(images), images[::-1][::-1]]:
        assert restored(other)[0] == plain
    read_only = images.copy()
    read_only.setflags(write=False)
    assert restored(read_only)[0] == plain
    for other in [images[::2], images[:, ::-1], np.asfortranarray(images), images.transpose(0, 2, 1)]:
        assert (restored(other)[1] == other).all()
    assert np.asfortranarray(images).flags.f_contiguous
    assert restored(np.asfortranarray(images))[1].flags.f_contiguous


def test_flat_data_and_none_at_all(images):
    flat = images.reshape(150, 784)
    assert (restored(flat)[1] == flat).all()
    assert restored(images[:0])[1].shape == (0, 28, 28)


def test_what_is_given_back_can_be_written_to(images):
    back = restored(images)[1]
    back += 1


def test_bits_may_be_0_and_255(images):
    assert (restored(images * 255)[1] == images * 255).all()


@pytest.mark.parametrize(
    "options",
    [{"lanes": 1}, {"threads": 1}, {"particles": 3}, {"independent": True}, {"block": 20}],
)
def test_options_change_the_file_and_not_the_array(images, options):
    file, back = restored(images, **options)
    assert (back == images).all()
    if options != {"threads": 1}:
        assert file != restored(images)[0]


def test_threads_change_no_byte(images):
    several = np.concatenate([images] * 12)
    assert restored(several, threads=1)[0] == restored(several, threads=4)[0]


def test_without_an_order_the_same_data_come_back(images):
    file, back = restored(images, unordered=True)
    key = lambda a: sorted(x.tobytes() for x in a)
    assert key(back) == key(images)
    assert len(file) < len(restored(images)[0])


def test_the_bound_is_what_a_file_takes(images):
    many = bbans.Model.load(SMALL).sample(2000, seed=3)
    bound = bbans.Model.load(SMALL).elbo(many).bits.sum()
    assert 8 * len(restored(many)[0]) == pytest.approx(bound, rel=0.01)


@pytest.mark.parametrize(
    "array, says",
    [
        (np.zeros((2, 28, 28), dtype=object), "type object"),
        (np.zeros((2, 28, 28), dtype=complex), "complex128"),
        (np.zeros((2, 28, 28), dtype="datetime64[s]"), "datetime64"),
        (np.zeros((2, 28, 28), dtype=[("a", "u1")]), "expected bool"),
        (np.zeros((2, 28, 28), dtype=np.float16), "float16"),
        (np.float32(1), "single number"),
        (np.zeros((2, 27, 28), dtype=np.uint8), r"shape \[27, 28\]"),
        (np.full((2, 28, 28), 0.5), "none that the model"),
        (np.full((2, 28, 28), np.nan), "none that the model"),
        (np.arange(2 * 784).reshape(2, 784), "2 in dimension 2"),
        (np.zeros((2, 784), np.uint8) + np.arange(784, dtype=np.uint8) % 3, "grey"),
        ("images.npy", "type <U10"),
        (None, "type object"),
        (np.ma.zeros((2, 28, 28), dtype=np.uint8), "mask"),
    ],
)
def test_what_cannot_be_coded_is_one_exception(array, says):
    with pytest.raises(bbans.InvalidArgument, match=says) as e:
        bbans.compress(array, model=SMALL)
    assert isinstance(e.value, bbans.Error) and isinstance(e.value, ValueError)
    assert "\n" not in str(e.value)


def test_a_few_nan_come_back_bit_for_bit(images):
    array = images.astype(np.float32)
    array[3, 4, 5] = np.nan
    array.view(np.uint32)[7, 0, 0] = 0x7FC12345
    back = restored(array)[1]
    assert (back.view(np.uint32) == array.view(np.uint32)).all()


@pytest.mark.parametrize("name", ["lanes", "threads", "particles", "block"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "4", True])
def test_options_out_of_their_range(images, name, value):
    with pytest.raises(bbans.InvalidArgument, match=name):
        bbans.compress(images, model=SMALL, **{name: value})


def test_options_of_another_type(images):
    for options in [{"lanes": None}, {"unordered": "yes"}, {"independent": 1}, {"threads": 1 << 70}]:
        with pytest.raises(bbans.InvalidArgument, match="expected"):
            bbans.compress(images, model=SMALL, **options)
    with pytest.raises(bbans.InvalidArgument, match="threads"):
        bbans.decompress(bbans.compress(images, model=SMALL), threads=0)


def test_options_beyond_the_limits(images):
    with pytest.raises(bbans.InvalidArgument, match="lanes"):
        bbans.compress(images, model=SMALL, lanes=1 << 20)
    with pytest.raises(bbans.InvalidArgument):
        bbans.compress(images, model=SMALL, independent=True, unordered=True)


@pytest.mark.parametrize("model", ["no-such-model", "/no/such/file", ""])
def test_a_model_that_is_not_there(images, model):
    with pytest.raises(bbans.IoError, match="expected a file, or one of the built-in models") as e:
        bbans.compress(images, model=model)
    assert isinstance(e.value, OSError)


def test_a_model_of_another_type(images):
    with pytest.raises(bbans.InvalidArgument, match="int"):
        bbans.compress(images, model=3)


def test_damage_anywhere_is_found(images):
    file = bbans.compress(images[:20], model=SMALL)
    for at in range(0, len(file), 7):
        damaged = bytearray(file)
        damaged[at] ^= 0x21
        with pytest.raises(bbans.Error):
            bbans.decompress(damaged)
        with pytest.raises(bbans.Error):
            bbans.decompress(file[:at])
    with pytest.raises(bbans.Corruption, match="empty"):
        bbans.decompress(b"")


@pytest.mark.parametrize("wrapped", [bytes, bytearray, memoryview, lambda b: np.frombuffer(b, np.uint8)])
def test_any_buffer_is_decompressed(images, wrapped):
    file = bbans.compress(images, model=SMALL)
    assert (bbans.decompress(wrapped(file)) == images).all()


def test_no_buffer(images):
    with pytest.raises(bbans.InvalidArgument, match="str"):
        bbans.decompress("file.bbans")


def test_another_model_is_refused(images):
    file = bbans.compress(images, model=SMALL)
    with pytest.raises(bbans.Compatibility, match="mnist-binary-small"):
        bbans.decompress(file, model="mnist-binary-balanced")


def test_files_after_one_another_are_one_array(images):
    two = bbans.compress(images[:50], model=SMALL) + bbans.compress(images[50:], model=SMALL)
    assert (bbans.decompress(two) == images).all()
    mixed = two + bbans.compress(images.astype(bool), model=SMALL)
    with pytest.raises(bbans.InvalidArgument, match="decompress_file"):
        bbans.decompress(mixed)


def test_other_data_files_are_arrays_too(images):
    idx = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes()
    amat = "".join(" ".join(map(str, x)) + " \n" for x in images.reshape(150, 784).tolist())
    for data in [idx, gzip.compress(idx), amat.encode()]:
        file = io.BytesIO()
        report = bbans.compress_file(io.BytesIO(data), file, model=SMALL)
        assert report.count == 150
        assert (bbans.decompress(file.getvalue()).reshape(images.shape) == images).all()


def test_progress_is_told_and_its_exceptions_stop_the_work(images):
    many = np.concatenate([images] * 30)
    told = []
    file = bbans.compress(many, model=SMALL, block=500, progress=told.append)
    assert told == sorted(told) and told[-1] == len(many) and len(told) > 1
    told.clear()
    bbans.decompress(file, progress=told.append)
    assert told[-1] == len(many)

    class Stop(Exception):
        pass

    def stop(count):
        raise Stop

    for work in [lambda: bbans.compress(many, model=SMALL, progress=stop), lambda: bbans.decompress(file, progress=stop)]:
        with pytest.raises(Stop):
            work()


def test_several_threads_of_python_work_at_once(images):
    expected = bbans.compress(images, model=SMALL)
    found = []

    def work():
        found.append(bbans.compress(images, model=SMALL, threads=1))

    threads = [threading.Thread(target=work) for _ in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert found == [expected] * 6


def test_header(images):
    file = bbans.compress(images, model=SMALL)
    facts = bbans.inspect(file)
    assert facts["built_in"] == facts["model"] == SMALL
    assert facts["shape"] == [28, 28] and facts["element"] == "u8" and facts["kind"] == "npy"
    assert bbans.Model.load(SMALL).fingerprint.startswith(facts["fingerprint"])
