"""BB-ANS with networks in PyTorch, through bbans.codecs and through craystack: images/s and bits/dim.

    python craystack.py --data binarized_mnist_test.amat.gz --craystack FOLDER --weights VAE.safetensors

FOLDER holds the package craystack (github.com/j-towns/craystack), SciPy and autograd; the VAE is that of its example.
Both run by turns in one thread of this process, with the same network, lanes (images of a batch), 2^10 bins of equal
mass, and masses in units of 2^-24. Seconds are of the processor, the median of three, with the message to words and
back. Initial bits are the same random words, of which each takes what it needs: craystack has a head for each of the
824 symbols of an image, bbans for each image. Data cost the growth of the message ("net"); the whole is stored.
"""

import argparse
import json
import sys
from pathlib import Path
from time import process_time
from typing import Any, Callable

import numpy as np
import torch

from bbans.codecs import Bernoulli, Bins, BitsBack, GaussianBins, Message, UniformBins

DIMS, LATENTS, BIN_BITS, MASS_BITS = 784, 40, 10, 24


class Vae:
    """The networks on arrays, and the seconds that they took."""

    def __init__(self, file: bytes) -> None:
        self.seconds, self.weights = 0.0, {}
        header = 8 + int.from_bytes(file[:8], "little")
        values = torch.frombuffer(bytearray(file[header:]), dtype=torch.float32)
        for name, tensor in json.loads(file[8:header]).items():
            if name != "__metadata__":
                start, end = tensor["data_offsets"]
                self.weights[name] = values[start // 4 : end // 4].reshape(tensor["shape"])

    def dense(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def run(self, array: np.ndarray, first: str, *last: Callable[[torch.Tensor], torch.Tensor]) -> list[np.ndarray]:
        """What each of the last layers makes of the hidden units of the first."""
        start = process_time()
        with torch.inference_mode():
            hidden = torch.relu(self.dense(first, torch.from_numpy(array.astype(np.float32, copy=False))))
            found = [layer(hidden).numpy() for layer in last]
        self.seconds += process_time() - start
        return found

    def posterior(self, x: np.ndarray) -> list[np.ndarray]:
        return self.run(x, "fc1", lambda h: self.dense("fc21", h), lambda h: torch.exp(self.dense("fc22", h)))

    def likelihood(self, z: np.ndarray, last: Any = torch.Tensor.detach) -> np.ndarray:
        return self.run(z, "fc3", lambda h: last(self.dense("fc4", h)))[0]


class Ours:
    """bbans.codecs."""

    name, symbols, bits = "bbans", np.uint16, staticmethod(lambda message: message.bits)

    def __init__(self, vae: Vae, lanes: int, words: np.ndarray) -> None:
        bins = Bins(BIN_BITS)
        self.lanes, self.initial = lanes, Message.from_words(words[: 20 * lanes], lanes)
        self.codec = BitsBack(
            prior=UniformBins(lanes, LATENTS, BIN_BITS),
            likelihood=lambda z: Bernoulli(logits=vae.likelihood(bins.values(z))),
            posterior=lambda x: GaussianBins(bins, *vae.posterior(x)),
        )

    def encode(self, batches: list[np.ndarray]) -> tuple[Message, np.ndarray]:
        message = self.initial.copy()
        for x in reversed(batches):
            self.codec.push(message, x)
        return message, message.words()

    def decode(self, words: np.ndarray, count: int) -> tuple[Message, list[np.ndarray]]:
        message = Message.from_words(words, self.lanes)
        return message, [self.codec.pop(message) for _ in range(count)]


class Theirs:
    """craystack, put together as in its example of binary MNIST."""

    name, symbols = "craystack", np.uint64

    def __init__(self, vae: Vae, lanes: int, words: np.ndarray) -> None:
        import craystack.bb_ans
        from autograd.builtins import tuple as parts

        self.library, self.heads, split = craystack, (lanes * (LATENTS + DIMS),), lanes * LATENTS
        self.initial = craystack.base_message(self.heads)[0], (words, ())
        decoder, observed = lambda z: vae.likelihood(z, torch.sigmoid), lambda p: craystack.Bernoulli(p, MASS_BITS)
        codec = craystack.bb_ans.VAE(decoder, vae.posterior, observed, BIN_BITS, MASS_BITS)
        parted = lambda head: parts((head[:split].reshape(lanes, LATENTS), head[split:].reshape(lanes, DIMS)))
        self.codec = craystack.substack(codec, parted)

    def bits(self, message: Any) -> float:
        words_of_tail = len(self.library.rans.flatten(message)) - 2 * message[0].size
        return float(np.log2(message[0].astype(float)).sum() + 32 * words_of_tail)

    def encode(self, batches: list[np.ndarray]) -> tuple[Any, np.ndarray]:
        (message,) = self.library.repeat(self.codec, len(batches)).push(self.initial, batches)
        return message, self.library.flatten(message)

    def decode(self, words: np.ndarray, count: int) -> tuple[Any, list[np.ndarray]]:
        return self.library.repeat(self.codec, count).pop(self.library.unflatten(words, self.heads))


def once(coder: Any, vae: Vae, data: np.ndarray) -> np.ndarray:
    """Seconds of encoding `[batches, lanes, 784]` and of the networks in it; of decoding; net and whole bits/dim."""
    batches, marks = list(data.astype(coder.symbols)), [(process_time(), vae.seconds)]
    message, words = coder.encode(batches)
    marks.append((process_time(), vae.seconds))
    left, decoded = coder.decode(words, len(batches))
    marks.append((process_time(), vae.seconds))
    if not np.array_equal(decoded, data) or abs(coder.bits(left) - coder.bits(coder.initial)) > 1e-3:
        raise SystemExit(f"{coder.name}: decoding does not give the data and the initial message")
    net = coder.bits(message) - coder.bits(coder.initial)
    return np.append(np.diff(marks, axis=0), np.divide([net, 32 * len(words)], data.size))


def main() -> None:
    parser = argparse.ArgumentParser(description="bbans.codecs and craystack on a VAE in PyTorch")
    parser.add_argument("--data", type=Path, required=True, help=".amat, .amat.gz, or .npy of bits [count, 784]")
    parser.add_argument("--craystack", type=Path, required=True, help="folder with the package craystack")
    parser.add_argument("--weights", type=Path, required=True, help="the VAE, .safetensors")
    parser.add_argument("--count", type=int, default=10_000, help="images, spread over the file")
    parser.add_argument("--lanes", type=int, nargs="+", default=[10, 20, 50, 100, 200, 500, 1000], help="divide count")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sys.path.insert(0, str(arguments.craystack))  # before the folder of this file, which has the same name
    vae, path, count = Vae(arguments.weights.read_bytes()), arguments.data, arguments.count
    data = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, np.uint8)
    data = data[np.arange(count) * len(data) // count]
    print("lanes; images/s: encoding, without networks, decoding, without; bits/dim: net, whole; share of networks")
    for lanes in arguments.lanes:
        words = np.random.default_rng(0).integers(1 << 32, size=LATENTS * lanes, dtype=np.uint32)
        coders = [kind(vae, lanes, words) for kind in (Ours, Theirs)]
        runs = [[once(coder, vae, data.reshape(-1, lanes, DIMS)) for coder in coders] for _ in range(3)]
        for coder, found in zip(coders, zip(*runs)):
            encode, in_encode, decode, in_decode, net, whole = np.median(found, axis=0)
            speeds = [f"{count / s:8.0f}" for s in (encode, encode - in_encode, decode, decode - in_decode)]
            shares = f"{in_encode / encode:.0%} {in_decode / decode:.0%}"
            print(f"{lanes:5} {coder.name:9}", *speeds, f"  {net:.5f} {whole:.4f}  ", shares, flush=True)


if __name__ == "__main__":
    main()
