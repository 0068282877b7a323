"""Arrays in Python against the program on the same data: images/s, and microseconds of a call for one image.

    python arrays.py IMAGES.npy --program bbans [--model mnist-binary-small] [--pairs 9]

Whole processes of the program, which load the model and read and write files, run by turns with calls on the array;
so do calls of `bbans bench`, whose figures have neither. All with as many threads as there are processors.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np

import bbans


def seconds(what: Callable[[], Any]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", default="mnist-binary-small")
    parser.add_argument("--pairs", type=int, default=9)
    given = parser.parse_args()
    images = np.load(given.images)
    program = lambda *args: subprocess.run([given.program, *map(str, args)], check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        packed, restored = Path(folder, "x.bbans"), Path(folder, "x.npy")
        model = ["--model", given.model]
        ways = {
            "compress": (
                lambda: bbans.compress(images, given.model),
                lambda: program("compress", given.images, "-f", "-q", "-o", packed, *model),
            ),
            "decompress": (
                lambda: bbans.decompress(file, given.model),
                lambda: program("decompress", packed, "-f", "-o", restored, *model),
            ),
        }
        file = bbans.compress(images, given.model)
        benched: dict[str, list[float]] = {"compress": [], "decompress": []}
        for what, (call, run) in ways.items():
            pairs = [(seconds(call), seconds(run)) for _ in range(given.pairs)]
            ours, theirs = (statistics.median(column) for column in zip(*pairs))
            ratio = statistics.median(b / a for a, b in pairs)
            print(
                f"{what:10} {len(images) / ours:9.0f} images/s in Python, {len(images) / theirs:9.0f} of the whole "
                f"program: {ratio:.2f} times as fast"
            )
        for _ in range(given.pairs):
            report = program("bench", "--data", given.images, *model, "--rivals", "none", "--json")
            (found,) = json.loads(report.stdout)["models"]
            benched["compress"].append(found["encode_per_second"])
            benched["decompress"].append(found["decode_per_second"])
            for what, (call, _) in ways.items():
                benched.setdefault(f"{what} here", []).append(len(images) / seconds(call))
        for what in ways:
            ratio = statistics.median(benched[f"{what} here"]) / statistics.median(benched[what])
            print(f"{what:10} {ratio:.2f} of what `bbans bench` measures in itself")
        assert packed.read_bytes() == file and restored.read_bytes() == given.images.read_bytes()
    one = images[:1]
    packed_one = bbans.compress(one, given.model)
    for what, call in [
        ("compress", lambda: bbans.compress(one, given.model)),
        ("decompress", lambda: bbans.decompress(packed_one)),
    ]:
        print(f"{what:10} {1e3 * seconds(lambda: [call() for _ in range(1000)]):.0f} microseconds a call of one image")


if __name__ == "__main__":
    main()
