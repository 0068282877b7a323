"""Many files on a Ray cluster: here of two workers on this machine."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

import bbans  # noqa: E402
import bbans.ray  # noqa: E402

SMALL = "mnist-binary-small"
COUNT = 9


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Workers import from the current folder first, where bbans may lie as it was never built.
    here = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("cluster"))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    os.chdir(here)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of 10 to 18 images, in an order that is not that of their names."""
    folder = tmp_path_factory.mktemp("shards")
    images = bbans.Model.load(SMALL).sample(18 * COUNT)
    paths = [folder / f"{(4 * i) % COUNT}.npy" for i in range(COUNT)]
    for i, path in enumerate(paths):
        np.save(path, images[18 * i : 18 * i + 10 + i])
    return paths


@pytest.fixture(scope="module")
def packed(
    shards: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, bbans.ray.Manifest]:
    """A folder that nobody changes, and its manifest."""
    folder = tmp_path_factory.mktemp("packed")
    return folder, bbans.ray.compress(shards, folder, SMALL, workers=2)


def one_by_one(shards: list[Path], folder: Path, **options: object) -> bytes:
    """What the files are one after another, without Ray."""
    folder.mkdir()
    content = b""
    for shard in shards:
        bbans.compress_file(shard, folder / "one.bbans", SMALL, **options)
        content += (folder / "one.bbans").read_bytes()
        (folder / "one.bbans").unlink()
    return content


def joined(manifest: bbans.ray.Manifest) -> bytes:
    return b"".join((manifest.folder / s.output).read_bytes() for s in manifest.shards)


def versions(folder: Path) -> dict[str, tuple[int, int]]:
    """What changes when a file is written again."""
    stats = {f.name: f.stat() for f in folder.glob("*.bbans")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def remade(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> set[str]:
    return {name for name in after if after[name] != before.get(name)}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_and_records_are_as_promised(
    shards: list[Path], packed: tuple[Path, bbans.ray.Manifest], tmp_path: Path
) -> None:
    folder, manifest = packed
    assert [s.input for s in manifest.shards] == [p.name for p in shards]
    assert [s.count for s in manifest.shards] == [10 + i for i in range(COUNT)]
    assert manifest.fingerprint == bbans.Model.load(SMALL).fingerprint
    for path, shard in zip(shards, manifest.shards):
        output = folder / shard.output
        assert shard.output == f"{path.name}.bbans"
        assert shard.input_sha256 == shard.restored_sha256 == sha256(path)
        assert shard.output_sha256 == sha256(output)
        assert (shard.input_bytes, shard.output_bytes) == (
            path.stat().st_size,
            output.stat().st_size,
        )
        record = json.loads(Path(f"{output}.json").read_text())
        assert record["shard"] == dataclasses.asdict(shard)
    content = json.loads((folder / "manifest.json").read_text())
    assert content["total"]["count"] == sum(10 + i for i in range(COUNT))
    assert bbans.ray.Manifest.load(folder) == manifest
    names = {"manifest.json"} | {f"{p.name}.bbans{s}" for p in shards for s in ("", ".json")}
    assert {f.name for f in folder.iterdir()} == names
    assert joined(manifest) == one_by_one(shards, tmp_path / "one")


@pytest.mark.parametrize("when", ["one", "_compare"], ids=["before", "without_record"])
def test_a_lost_worker_loses_nothing_and_gives_nothing_twice(
    shards: list[Path],
    packed: tuple[Path, bbans.ray.Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    victim, log = tmp_path / "victim", tmp_path / "log"

    # A class of a function is sent to workers as it is, where this module cannot be imported.
    class Slow(bbans.ray._Compressor):
        """Waits to be killed at the fourth shard: before it, or when its file is there and its
        record is not. The second try goes through."""

        def wait(self, path: str, at: str) -> None:
            if at == when and path == str(shards[3]) and not victim.exists():
                temporary = victim.with_suffix(".part")
                temporary.write_text(str(os.getpid()))
                temporary.rename(victim)
                time.sleep(120)

        def one(self, index: int, path: str) -> dict[str, object]:
            self.wait(path, "one")
            result = super().one(index, path)
            with log.open("a") as file:
                file.write(f"{index}\n")
            return result

        def _compare(self, path: str, *others: object) -> str:
            self.wait(path, "_compare")
            return super()._compare(path, *others)

    def kill() -> None:
        deadline = time.monotonic() + 90
        while not victim.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(int(victim.read_text()), signal.SIGKILL)

    monkeypatch.setattr(bbans.ray, "_Compressor", Slow)
    killer = threading.Thread(target=kill)
    killer.start()
    manifest = bbans.ray.compress(shards, tmp_path / "out", SMALL, workers=2)
    killer.join()
    assert victim.exists()
    assert manifest.shards == packed[1].shards
    assert joined(manifest) == joined(packed[1])
    assert sorted(map(int, log.read_text().split())) == list(range(COUNT))


def test_a_shard_that_ends_every_worker_is_given_up(
    shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"

    class Fatal(bbans.ray._Compressor):
        def one(self, index: int, path: str) -> dict[str, object]:
            if path == str(shards[1]):
                with log.open("a") as file:
                    file.write("x")
                os._exit(1)
            return super().one(index, path)

    monkeypatch.setattr(bbans.ray, "_Compressor", Fatal)
    with pytest.raises(bbans.ray.ShardError, match="5 workers were lost with it") as error:
        bbans.ray.compress(shards[:3], tmp_path / "out", SMALL, workers=1)
    assert list(error.value.errors) == [str(shards[1])]
    assert len(log.read_text()) == 5
    monkeypatch.undo()
    assert len(bbans.ray.compress(shards[:3], tmp_path / "out", SMALL, workers=1).shards) == 3


def test_what_is_done_is_not_done_again(
    shards: list[Path], packed: tuple[Path, bbans.ray.Manifest], tmp_path: Path
) -> None:
    # Shards and files may have been moved since.
    mine = [Path(shutil.copy(path, tmp_path)) for path in shards]
    folder = shutil.copytree(packed[0], tmp_path / "out")
    before = versions(folder)
    gone, damaged, unrecorded, changed = (f"{p.name}.bbans" for p in mine[:4])
    (folder / gone).unlink()
    content = bytearray((folder / damaged).read_bytes())
    content[-1] ^= 1
    (folder / damaged).write_bytes(content)
    (folder / f"{unrecorded}.json").write_text('{"shard": ')
    np.save(mine[3], np.load(mine[3])[::-1])
    (folder / "manifest.json").unlink()
    leftover = folder / f".{gone}.0123abcd.tmp"
    leftover.touch()

    second = bbans.ray.compress(mine, folder, SMALL, workers=1)
    assert not leftover.exists()
    after = versions(folder)
    assert remade(before, after) == {gone, damaged, unrecorded, changed}
    assert [s for s in second.shards if s.output != changed] == [
        s for s in packed[1].shards if s.output != changed
    ]
    assert joined(second) == one_by_one(mine, tmp_path / "one")

    # All are made again with other options, and none when there is nothing to do.
    third = bbans.ray.compress(mine, folder, SMALL, lanes=8, workers=1)
    assert remade(after, versions(folder)) == set(after)
    assert joined(third) == one_by_one(mine, tmp_path / "eight", lanes=8)
    after = versions(folder)
    assert bbans.ray.compress(mine, folder, SMALL, lanes=8, block=None, workers=1) == third
    assert versions(folder) == after


def test_errors_name_their_shards_and_spare_the_others(shards: list[Path], tmp_path: Path) -> None:
    grey = tmp_path / "grey.npy"
    np.save(grey, np.arange(784, dtype="u1").reshape(1, 28, 28))
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    missing = tmp_path / "missing.npy"
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "manifest.json").write_text("of an earlier run")
    with pytest.raises(bbans.Error) as caught:
        bbans.ray.compress([missing, *shards[:3], grey, picture, tmp_path], folder, SMALL)
    assert isinstance(caught.value, bbans.ray.ShardError)
    assert str(missing) in str(caught.value)
    errors = caught.value.errors
    assert list(errors) == [str(p) for p in (missing, grey, picture, tmp_path)]
    for path, sentence in errors.items():
        assert sentence.startswith(path) and "\n" not in sentence
    assert {f.name for f in folder.glob("*.bbans")} == {f"{p.name}.bbans" for p in shards[:3]}
    # What it said is no longer true.
    assert not (folder / "manifest.json").exists()
    with pytest.raises(bbans.Error, match="manifest.json"):
        bbans.ray.decompress(folder, tmp_path / "restored")


@pytest.mark.parametrize("unordered", [False, True])
def test_a_shard_that_changes_under_way_is_not_recorded(
    shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unordered: bool
) -> None:
    path = Path(shutil.copy(shards[0], tmp_path))
    compress_file = bbans.compress_file

    def changing(*args: object, **options: object) -> bbans.Report:
        np.save(path, np.load(path)[::-1])
        return compress_file(*args, **options)

    monkeypatch.setattr(bbans, "compress_file", changing)
    worker = bbans.ray._Compressor(
        {
            "paths": [str(path)],
            "folder": tmp_path,
            "model": SMALL,
            "fingerprint": bbans.Model.load(SMALL).fingerprint,
            "threads": 1,
            "options": {"unordered": unordered},
        }
    )
    with pytest.raises(bbans.Corruption):
        worker.one(0, str(path))
    assert [f.name for f in tmp_path.iterdir()] == [path.name]


def test_calls_that_cannot_be_meant_are_refused_at_once(shards: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for refused in (
        lambda: bbans.ray.compress([], folder, SMALL),
        lambda: bbans.ray.compress([shards[0], tmp_path / shards[0].name], folder, SMALL),
        lambda: bbans.ray.compress([shards[0], f"{shards[0]}.gz"], folder, SMALL),
        lambda: bbans.ray.compress([folder / "a", folder / "a.bbans"], folder, SMALL),
        lambda: bbans.ray.compress(shards, folder, "no-such-model"),
        lambda: bbans.ray.compress(shards, folder, SMALL, threads=0),
        lambda: bbans.ray.compress(shards, folder, SMALL, workers=0),
    ):
        with pytest.raises(bbans.Error):
            refused()
    with pytest.raises(TypeError, match="particels"):
        bbans.ray.compress(shards, folder, SMALL, particels=2)
    assert not list(tmp_path.rglob("*.bbans"))


def test_shards_are_restored(
    shards: list[Path], packed: tuple[Path, bbans.ray.Manifest], tmp_path: Path
) -> None:
    folder, manifest = packed
    target = tmp_path / "restored"
    paths = bbans.ray.decompress(folder, target)
    assert paths == [target / p.name for p in shards]
    for path, shard in zip(paths, shards):
        assert path.read_bytes() == shard.read_bytes()
    # A second time what is missing is restored, and what is another file is left as it is.
    kept = paths[0].stat().st_mtime_ns
    paths[1].unlink()
    paths[2].write_text("mine")
    with pytest.raises(bbans.ray.ShardError, match=shards[2].name):
        bbans.ray.decompress(manifest, target, workers=1)
    assert paths[0].stat().st_mtime_ns == kept
    assert paths[1].read_bytes() == shards[1].read_bytes()
    assert paths[2].read_text() == "mine"


def test_gzip_is_taken_off_and_sets_are_compared_as_sets(
    shards: list[Path], tmp_path: Path
) -> None:
    zipped = tmp_path / f"{shards[0].name}.gz"
    zipped.write_bytes(gzip.compress(shards[0].read_bytes()))
    manifest = bbans.ray.compress(zipped, tmp_path / "gz", SMALL, workers=1)
    assert manifest.shards[0].output == f"{shards[0].name}.bbans"
    assert manifest.shards[0].input_sha256 == sha256(zipped)
    (restored,) = bbans.ray.decompress(tmp_path / "gz", tmp_path / "restored")
    assert restored.read_bytes() == shards[0].read_bytes()

    bbans.ray.compress([zipped], tmp_path / "set", SMALL, workers=1, unordered=True)
    data = bbans.decompress((tmp_path / "set" / manifest.shards[0].output).read_bytes())
    one, other = (sorted(row.tobytes() for row in rows) for rows in (data, np.load(shards[0])))
    assert one == other


def test_a_damaged_file_or_manifest_is_found(
    shards: list[Path], packed: tuple[Path, bbans.ray.Manifest], tmp_path: Path
) -> None:
    folder = shutil.copytree(packed[0], tmp_path / "out")
    manifest = dataclasses.replace(packed[1], folder=folder, shards=packed[1].shards[:2])
    manifest.save()
    with pytest.raises(bbans.Error, match="fingerprint"):
        other = dataclasses.replace(manifest, fingerprint="0" * 64)
        bbans.ray.decompress(other, tmp_path / "restored")
    path = folder / manifest.shards[1].output
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(bbans.ray.ShardError, match=path.name):
        bbans.ray.decompress(folder, tmp_path / "restored", workers=1)
    assert [p.name for p in (tmp_path / "restored").iterdir()] == [shards[0].name]
    text = (folder / "manifest.json").read_text()
    for damaged in (text[:-9], text.replace(f'"{shards[0].name}', '"../a'), "[]"):
        (folder / "manifest.json").write_text(damaged)
        with pytest.raises(bbans.Error, match="manifest.json"):
            bbans.ray.decompress(folder, tmp_path / "again")
