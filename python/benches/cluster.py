"""What the layer on Ray costs: images/s of it and of the bare program on the same shards.

    python cluster.py FOLDER --program bbans [--images 1000000] [--model mnist-binary-small]

Images are samples of mnist-binary-small, written once to FOLDER/shards. The program compresses
shard after shard, in one process and in two; as the layer decodes and compares each file, the
program is also timed with `bbans test` after each. All with one thread each. Outputs of the layer
and of the program are compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import ray

import bbans
import bbans.ray

SAMPLED = "mnist-binary-small"


def make_shards(folder: Path, images: int, count: int) -> list[Path]:
    """Files of ``[images / count, 28, 28]`` bytes; those that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    model = bbans.Model.load(SAMPLED)
    paths = []
    for i in range(count):
        size = images * (i + 1) // count - images * i // count
        path = folder / f"{size}-{i:02}.npy"
        if not path.exists():
            print(f"drawing {size} images for {path.name}")
            data = draw(model, size)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                np.save(file, data)
            os.replace(file.name, path)
        paths.append(path)
    return paths


def draw(model: bbans.Model, size: int) -> np.ndarray:
    return np.concatenate([model.sample(min(10000, size - i)) for i in range(0, size, 10000)])


def seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def run_program(
    program: str, shards: list[Path], folder: Path, model: str, processes: int, test: bool
) -> None:
    folder.mkdir()

    def one(shard: Path) -> None:
        output = str(folder / f"{shard.name}.bbans")
        common = ["--model", model, "--threads", "1"]
        subprocess.run([program, "compress", "-q", str(shard), "-o", output, *common], check=True)
        if test:
            command = [program, "test", output, *common]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(one, shards))


def main() -> None:
    parser = argparse.ArgumentParser(description="images/s on Ray, and of the bare program")
    parser.add_argument("folder", type=Path, help="for shards and outputs")
    parser.add_argument("--program", required=True, help="path of bbans")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--model", default=SAMPLED, help="built-in name or file")
    arguments = parser.parse_args()
    model = arguments.model

    shards = make_shards(arguments.folder / "shards", arguments.images, arguments.shards)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    print(f"{arguments.images} images in {len(shards)} files, model {model}, one thread each")

    scratch = Path(tempfile.mkdtemp(dir=arguments.folder))
    times: dict[tuple[str, int], float] = {}

    def report(what: str, workers: int, action: Callable[[], object]) -> None:
        took = seconds(action)
        times[what, workers] = took
        print(f"{what:38} {workers:2} {took:9.2f} s {arguments.images / took:9.0f} images/s")

    try:
        for n in (1, 2):
            files, tested, packed = (scratch / f"{k}{n}" for k in ("files", "tested", "packed"))

            def layer(folder: Path = packed, workers: int = n) -> None:
                bbans.ray.compress(shards, folder, model, workers=workers, threads=1)

            bare = partial(run_program, arguments.program, shards, model=model, processes=n)
            report("program", n, partial(bare, files, test=False))
            report("program, and test of each file", n, partial(bare, tested, test=True))
            report("layer", n, layer)
            report("layer again, with all done", n, layer)
            for shard in shards:
                name = f"{shard.name}.bbans"
                if (packed / name).read_bytes() != (files / name).read_bytes():
                    raise SystemExit(f"{name}: the layer and the program wrote different files")
    finally:
        shutil.rmtree(scratch)
    for n in (1, 2):
        took = times["layer", n]
        for what in ("program", "program, and test of each file"):
            base = times[what, n]
            print(
                f"{n} workers: the layer takes {took - base:+.2f} s over the {what} "
                f"({took / base - 1:+.0%})"
            )


if __name__ == "__main__":
    main()
