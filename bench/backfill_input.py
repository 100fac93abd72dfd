"""What the backfill bench reads: a devnet's repositories, as CAR files and as packs. Made once for the same options."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.extract import pack_row
from zeppelin_pipeline import devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import make_repository_maker
from zeppelin_pipeline.lake import layout, schemas
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos import pack
from zeppelin_pipeline.repos.pack import PackWriter

OUT = Path(__file__).parent / "out" / "backfill"
HOST = "bench"


@dataclass(frozen=True, slots=True)
class BackfillInput:
    """Repositories on disk.

    Attributes:
        folder: holds `cars/` (one `did.car` a repository) and `lake/` (the same bytes in packs).
        repositories: how many.
        records: in all of them.
        car_bytes: of all CAR files.
        shards: keys of the packs.
    """

    folder: Path
    repositories: int
    records: int
    car_bytes: int
    shards: tuple[str, ...]

    def cars(self) -> list[Path]:
        """The CAR files in order of their names."""
        return sorted((self.folder / "cars").iterdir())

    def link_packs(self, lake_folder: Path) -> None:
        """Gives a new lake the packs, as links to the same files: a lake for each run, of which the input is kept."""
        shutil.copytree(self.folder / "lake", lake_folder, copy_function=_link)


def make_input(config: DevnetConfig, shards: int, out: Path = OUT) -> BackfillInput:
    """The input for these options: that of an earlier run, if it was made by the same code."""
    name = f"seed{config.seed}-repos{config.repos}-mean{config.mean_records:g}-shards{shards}-{_code_digest()}"
    folder = out / name
    if not folder.exists():
        unfinished = out / f"{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        (unfinished / "cars").mkdir(parents=True)
        counts = _write(config, [layout.host_shard(HOST, number) for number in range(shards)], unfinished)
        (unfinished / "input.json").write_text(json.dumps(counts), encoding="utf-8")
        unfinished.rename(folder)
    counts = json.loads((folder / "input.json").read_text(encoding="utf-8"))
    shards_made = tuple(counts.pop("shards"))
    return BackfillInput(folder=folder, shards=shards_made, **counts)


def _write(config: DevnetConfig, shards: list[str], folder: Path) -> dict[str, object]:
    maker = make_repository_maker(config)
    lake = Lake(str(folder / "lake"))
    writers = [PackWriter(lake, shard) for shard in shards]
    records = car_bytes = 0
    for number, account in enumerate(maker.population.accounts):
        row, count = pack_row(maker, account)
        car = bytes(row.car or b"")
        writers[number % len(writers)].add(row)
        (folder / "cars" / f"{row.did}.car").write_bytes(car)
        records += count
        car_bytes += len(car)
    for writer in writers:
        writer.flush()
    made = BackfillInput(folder, config.repos, records, car_bytes, tuple(shards))
    return {name: value for name, value in asdict(made).items() if name != "folder"}


def _code_digest() -> str:
    """Names the code that decides about the input: the devnet's, and the packs'."""
    sources = [*sorted(Path(devnet.__path__[0]).rglob("*.py")), Path(pack.__file__), Path(schemas.__file__)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
