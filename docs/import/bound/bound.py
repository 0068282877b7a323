"""The bound of an example model, computed by PyTorch in float64 with one draw of the latents for each image.

    python bound.py ../conv-vae FILE
    python bound.py ../conv-vae fixture COUNT

FILE, IDX or .amat, also gzipped, holds the symbols as the model codes them; the means over all images are printed.
`fixture` writes bound.safetensors into the model's folder, of pictures of lines, which the tests compare with:
    x                     u8 [COUNT, 28, 28], the symbols
    noise                 f32 [COUNT, K], standard normal; z = mean + sigma * noise, groups from the top, row by row
    kl_bits               f64 [COUNT], the KL divergence in closed form, given the latents drawn above
    reconstruction_bits   f64 [COUNT], -log2 p(x | z)
"""

import gzip
import importlib.util
import math
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file


def load(folder):
    """The module train.py of a folder, and its model with the saved weights, in float64."""
    spec = importlib.util.spec_from_file_location("train", f"{folder}/train.py")
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    names = [name for name in ("VAE", "LadderVAE", "AttentionVAE") if hasattr(train, name)]
    model = getattr(train, names[0])().double()
    model.load_state_dict(load_file(f"{folder}/weights.safetensors"))
    return train, model.eval()


def read_images(path):
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\0\0":
        images = np.frombuffer(data, np.uint8, offset=16)
    else:
        images = np.frombuffer(data, np.uint8)
        images = images[(images == ord("0")) | (images == ord("1"))] - ord("0")
    return torch.from_numpy(images.reshape(-1, 28, 28).copy())


@torch.no_grad()
def bound_bits(model, images, noise):
    """KL and -log2 p(x | z) of each image, in bits."""
    parts = zip(images.split(250), noise.split(250))
    kl, reconstruction = zip(*(model.bound(x.double(), e.double()) for x, e in parts))
    return torch.cat(kl) / math.log(2), torch.cat(reconstruction) / math.log(2)


def strokes(count, levels, seed=0):
    """Pictures of lines between three random points: data for a fixture that are nobody's."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:28, :28]
    images = np.zeros((count, 28, 28))
    for image in images:
        points = random.uniform(5, 23, (3, 2))
        for (y0, x0), (y1, x1) in zip(points, points[1:]):
            along = ((rows - y0) * (y1 - y0) + (columns - x0) * (x1 - x0)) / ((y1 - y0) ** 2 + (x1 - x0) ** 2)
            along = along.clip(0, 1)
            distance = np.hypot(rows - y0 - along * (y1 - y0), columns - x0 - along * (x1 - x0))
            np.maximum(image, (2.2 - distance).clip(0, 1), out=image)
    return torch.from_numpy((images * (levels - 1)).round().astype(np.uint8))


if __name__ == "__main__":
    folder, file = sys.argv[1:3]
    torch.set_num_threads(1)
    train, model = load(folder)
    if file == "fixture":
        count = int(sys.argv[3])
        images = strokes(count, 256 if hasattr(train, "AttentionVAE") else 2)
    else:
        images = read_images(file)
    noise = torch.randn(len(images), train.LATENTS, generator=torch.Generator().manual_seed(1))
    kl, reconstruction = bound_bits(model, images, noise)
    for name, bits in [("KL", kl), ("-log2 p(x | z)", reconstruction), ("the bound", kl + reconstruction)]:
        print(f"{name}: {bits.mean() / 784:.6f} bits/dim of {len(images)} images")
    if file == "fixture":
        fixture = {"x": images, "noise": noise, "kl_bits": kl, "reconstruction_bits": reconstruction}
        save_file(fixture, f"{folder}/bound.safetensors")
