"""Messages, codecs, and bits-back coding in Python."""

import copy
import pickle
import threading

import numpy as np
import pytest

import bbans
from bbans.codecs import (
    Bernoulli,
    BetaBinomial,
    Bins,
    BitsBack,
    Categorical,
    ConditionalBins,
    DiscretizedGaussian,
    GaussianBins,
    LogisticMixture,
    Message,
    Serial,
    UniformBins,
)

LANES, DIMS = 5, 7
SMALL = "mnist-binary-small"


def message():
    return Message(LANES, 4000)


def rng():
    return np.random.default_rng(7)


def f32(*shape, low=-2.0, high=2.0):
    return rng().uniform(low, high, shape).astype(np.float32)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def logistic(x):
    return 1 / (1 + np.exp(-x))


P = rng().uniform(0.05, 0.95, (LANES, DIMS))
WEIGHTS = rng().uniform(0.1, 3.0, (LANES, DIMS, 11))
LOGITS = f32(LANES, DIMS, 9)
MEANS = f32(LANES, DIMS, 3, low=10, high=50)
SCALES = f32(LANES, DIMS, 3, low=0.5, high=2)
BINS = Bins(10)

# Of each codec: itself, and its masses in float64, [lanes, dims, symbols].
EDGES = np.arange(63) + 0.5


def mixture():
    pi = softmax(f32(LANES, DIMS, 3).astype(float))[..., None]
    at = (EDGES - MEANS[..., None].astype(float)) / np.exp(SCALES[..., None].astype(float))
    below = (pi * logistic(at)).sum(2)
    one = np.ones((LANES, DIMS, 1))
    return np.diff(np.concatenate([0 * one, below, one], axis=2), axis=2)


CODECS = {
    "bernoulli": (Bernoulli(P), np.stack([1 - P, P], 2)),
    "bernoulli logits": (
        Bernoulli(logits=LOGITS[..., 0]),
        np.stack([logistic(-LOGITS[..., 0].astype(float)), logistic(LOGITS[..., 0].astype(float))], 2),
    ),
    "categorical": (Categorical(WEIGHTS), WEIGHTS / WEIGHTS.sum(2, keepdims=True)),
    "categorical logits": (Categorical(logits=LOGITS), softmax(LOGITS.astype(float))),
    "uniform": (UniformBins(LANES, DIMS, 6), np.full((LANES, DIMS, 64), 1 / 64)),
    "mixture": (LogisticMixture(64, f32(LANES, DIMS, 3), MEANS, SCALES), mixture()),
}


@pytest.mark.parametrize("name", CODECS)
def test_a_push_costs_the_information_and_a_pop_takes_it_back(name):
    codec, masses = CODECS[name]
    drawn = rng().random((LANES, DIMS, 1))
    symbols = (masses.cumsum(2) < drawn).sum(2).clip(max=masses.shape[2] - 1)
    start = message()
    m = start.copy()
    codec.push(m, symbols)
    information = -np.log2(np.take_along_axis(masses, symbols[..., None], 2)).sum()
    assert m.bits - start.bits == pytest.approx(information, abs=0.02)
    assert m != start
    popped = codec.pop(m)
    assert popped.dtype == np.uint16 and (popped == symbols).all()
    assert m == start


@pytest.mark.parametrize(
    "codec",
    [
        GaussianBins(BINS, f32(LANES, DIMS), f32(LANES, DIMS, low=0.1, high=1)),
        ConditionalBins(BINS, f32(LANES, DIMS), f32(LANES, DIMS, low=0.1, high=1)),
        DiscretizedGaussian(256, f32(LANES, DIMS, low=0, high=255), f32(LANES, DIMS)),
        BetaBinomial(256, f32(LANES, DIMS), f32(LANES, DIMS)),
        *(codec for codec, _ in CODECS.values()),
    ],
)
def test_what_is_popped_is_pushed_back(codec):
    start = message()
    m = start.copy()
    symbols = codec.pop(m)
    assert symbols.shape == (LANES, DIMS)
    codec.push(m, symbols)
    assert m == start


def test_gaussian_bins_are_gaussian():
    lanes, dims = 64, 200
    codec = GaussianBins(BINS, np.full((lanes, dims), 0.5, np.float32), np.full((lanes, dims), 0.3, np.float32))
    m = Message(lanes, 20000)
    values = BINS.values(codec.pop(m))
    assert values.mean() == pytest.approx(0.5, abs=0.02) and values.std() == pytest.approx(0.3, abs=0.02)


def test_a_message_is_stored_and_read_again():
    m = message()
    Bernoulli(P).push(m, np.ones((LANES, DIMS), int))
    words = m.words()
    assert words.dtype == np.uint32 and 32 * len(words) < m.bits + 7 * LANES + 64
    again = Message.from_words(words, LANES)
    assert again == m
    assert (Bernoulli(P).pop(again) == 1).all()


def test_a_message_is_used_by_one_thread_at_a_time():
    stack, errors = Message(1, 4), []
    codec, symbols = Bernoulli(np.full((1, 1 << 20), 0.5)), np.ones((1, 1 << 20), np.uint16)

    def push():
        for _ in range(1000):
            if errors:
                return
            try:
                codec.push(stack, symbols)
                codec.pop(stack)
            except bbans.InvalidArgument as e:
                errors.append(str(e))

    threads = [threading.Thread(target=push) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors and "another thread" in errors[0]
    with pytest.raises(bbans.InvalidArgument, match="0 lanes"):
        stack.shrink(0)


def test_copies_are_the_same():
    model, m = bbans.Model.load(SMALL), message()
    for copied in [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]:
        assert copied(m) == m and copied(m) is not m
        assert copied(model).fingerprint == model.fingerprint
    error = pickle.loads(pickle.dumps(bbans.Corruption("damaged")))
    assert isinstance(error, bbans.Corruption) and str(error) == "damaged"


def test_heads_come_and_go():
    m = Message(2, 10)
    start = m.copy()
    m.grow(5)
    assert m.lanes == 5
    m.shrink(2)
    assert m == start
    m.whiten(3, 4)
    assert m != start
    m.whiten(3, 4)
    assert m == start


def test_codecs_one_after_another():
    a, b = CODECS["bernoulli"][0], CODECS["mixture"][0]
    both, m = Serial([a, b]), message()
    start = m.copy()
    popped = both.pop(m)
    n = start.copy()
    assert (a.pop(n) == popped[0]).all() and (b.pop(n) == popped[1]).all() and m == n
    both.push(m, popped)
    assert m == start


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: Bernoulli(P + 1), "probability"),
        (lambda: Bernoulli(P * np.nan), "probability NaN"),
        (lambda: Bernoulli(np.ones((2, 2), int)), "int64"),
        (lambda: Bernoulli(P[0]), "lanes, dims"),
        (lambda: Bernoulli(logits=P), "float64"),
        (lambda: Bernoulli(), "one of the two"),
        (lambda: Bernoulli(P, logits=LOGITS[..., 0]), "one of the two"),
        (lambda: Categorical(WEIGHTS - 5), "not negative"),
        (lambda: Categorical(np.zeros((1, 1, 0))), "weights"),
        (lambda: Categorical(logits=LOGITS * np.inf), "finite"),
        (lambda: GaussianBins(BINS, MEANS[..., 0], 0 * MEANS[..., 0]), "standard deviation 0"),
        (lambda: GaussianBins(BINS, MEANS[..., 0] * np.nan, MEANS[..., 0]), "mean NaN"),
        (lambda: GaussianBins(BINS, MEANS[..., 0], MEANS[:2, :, 0]), "one shape"),
        (lambda: UniformBins(2, 2, 17), "bin_precision"),
        (lambda: UniformBins(1 << 40, 1 << 20, 3), "at most"),
        (lambda: Bins(0), "1 to 16"),
        (lambda: Bins(40), "1 to 16"),
        (lambda: BINS.values([-1]), "0 to 1023"),
        (lambda: BINS.values([1024]), "0 to 1023"),
        (lambda: BINS.values([0.5]), "float64"),
        (lambda: LogisticMixture(1, MEANS, MEANS, MEANS), "levels"),
        (lambda: LogisticMixture(10**9, MEANS, MEANS, MEANS), "levels"),
        (lambda: Message(0), "lanes"),
        (lambda: Message(1 << 60), "lanes"),
        (lambda: Message(1, 1 << 60), "initial words"),
        (lambda: bbans.Model.load(SMALL).prior(1 << 60), "lanes"),
        (lambda: bbans.Model.load(SMALL).elbo(np.zeros((1, 28, 28), np.uint8), samples=1 << 40), "samples"),
        (lambda: Message.from_words(np.zeros(3, np.uint32), 2), "head"),
        (lambda: Message.from_words(np.zeros(3, np.int64), 2), "uint32"),
        (lambda: CODECS["bernoulli"][0].push(message(), np.full((LANES, DIMS), 2)), "no mass"),
        (lambda: CODECS["bernoulli"][0].push(message(), np.ones((LANES, DIMS))), "float64"),
        (lambda: CODECS["bernoulli"][0].push(message(), np.ones((2, DIMS), int)), "batch"),
        (lambda: CODECS["bernoulli"][0].push(message(), -np.ones((LANES, DIMS), int)), "0 to 65535"),
        (lambda: CODECS["bernoulli"][0].push(Message(2, 9), np.ones((LANES, DIMS), int)), "lane"),
        (lambda: CODECS["mixture"][0].pop(Message(LANES, 1)), "too few words"),
    ],
)
def test_what_is_no_distribution_is_one_exception(make, says):
    with pytest.raises(bbans.Error, match=says) as e:
        make()
    assert "\n" not in str(e.value)


def of_model(name=SMALL):
    model = bbans.Model.load(name)
    return model, BitsBack(model.prior, model.likelihood, model.posterior)


def test_bits_back_in_python_gives_the_bytes_of_the_library():
    model, bits_back = of_model()
    x = model.symbols(model.sample(64))
    m = Message(64, 1000)
    bits_back.push(m, x)
    # The block of one step: the same initial words, the same step.
    n = Message(64, 1000)
    z = model.posterior(x).pop(n)
    model.likelihood(z).push(n, x)
    model.prior(64).push(n, z)
    assert m == n
    assert (bits_back.pop(m) == x).all() and m == Message(64, 1000)


def test_a_block_of_a_model_in_python_is_the_block_of_a_file():
    model, bits_back = of_model()
    data = model.sample(300, seed=5)
    x = model.symbols(data)
    block = bits_back.encode(x, latents=model.latents, posterior_bits=model.posterior_bits)
    # The first of two blocks of a file: the message is its words, little-endian, without the last zeros.
    file = bbans.compress(np.concatenate([data, data]), model=SMALL, block=300)
    assert block.words.astype("<u4").tobytes().rstrip(b"\0") in file
    again = bits_back.decode(block, latents=model.latents, posterior_bits=model.posterior_bits)
    assert (again == x).all()


@pytest.mark.parametrize("latents, bits", [(0, 1), (1 << 40, 40), (2, 1e300), (2, float("nan")), (2, -1)])
def test_numbers_that_memory_is_taken_by(latents, bits):
    _, bits_back = of_model()
    with pytest.raises(bbans.InvalidArgument, match="expected"):
        bits_back.encode(np.zeros((2, 784), int), latents=latents, posterior_bits=bits)


class Mixture:
    """A model with a known answer: a biased die picks one of three coins for all bits of a datum."""

    weights = np.array([0.5, 0.3, 0.2])
    coins = np.array([0.1, 0.5, 0.8])

    def prior(self, lanes):
        return Categorical(np.broadcast_to(self.weights, (lanes, 1, 3)))

    def likelihood(self, z):
        return Bernoulli(np.repeat(self.coins[z], 12, axis=1))

    def posterior(self, x):
        ones = x.sum(1, keepdims=True)
        joint = self.weights * self.coins**ones * (1 - self.coins) ** (12 - ones)
        return Categorical(joint[:, None, :])

    def information(self, x):
        ones = x.sum(1, keepdims=True)
        joint = self.weights * self.coins**ones * (1 - self.coins) ** (12 - ones)
        return -np.log2(joint.sum(1)).sum()


def test_with_the_exact_posterior_data_cost_their_information():
    model = Mixture()
    r = rng()
    z = r.choice(3, 4000, p=model.weights)
    x = (r.random((4000, 12)) < model.coins[z][:, None]).astype(int)
    bits_back = BitsBack(model.prior, model.likelihood, model.posterior)
    block = bits_back.encode(x, latents=1, posterior_bits=2, lanes=16)
    assert block.net_bits == pytest.approx(model.information(x), rel=2e-3)
    assert 32 * len(block.words) == pytest.approx(model.information(x), rel=6e-3)
    assert (bits_back.decode(block, latents=1, posterior_bits=2) == x).all()


def test_exceptions_of_a_model_come_through():
    class Oops(Exception):
        pass

    def fails(x):
        raise Oops

    model = Mixture()
    bits_back = BitsBack(model.prior, model.likelihood, fails)
    with pytest.raises(Oops):
        bits_back.encode(np.zeros((3, 12), int), latents=1, posterior_bits=2)


def test_a_hierarchy_nests():
    """Bit-Swap: the prior of the lower latents is bits-back coding of the upper ones."""
    bins = Bins(8)

    def ones(z):
        return np.ones(z.shape, np.float32)

    upper = BitsBack(
        lambda lanes: UniformBins(lanes, 4, 8),
        lambda z2: ConditionalBins(bins, 0.8 * bins.values(z2), 0.6 * ones(z2)),
        lambda z1: GaussianBins(bins, 0.8 * bins.values(z1), 0.6 * ones(z1)),
    )
    lower = BitsBack(
        upper,
        lambda z1: Bernoulli(logits=np.repeat(2 * bins.values(z1), 6, axis=1)),
        lambda x: GaussianBins(
            bins, (2 * x.reshape(len(x), 4, 6).mean(2) - 1).astype(np.float32), np.full((len(x), 4), 0.5, np.float32)
        ),
    )
    x = rng().integers(0, 2, (LANES, 24))
    m = message()
    start = m.copy()
    lower.push(m, x)
    assert (lower.pop(m) == x).all() and m == start
