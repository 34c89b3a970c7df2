"""All rows of the suite in one run: `make bench`, or `python -m benchmarks.run B11 B13`.

Rows that a peer wins stay in the table. Ratios are ours against the best peer: above 1 we are
faster. Every row first checks that both give the same answer.
"""

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks import (
    chips_rows,
    cube_rows,
    fwi_rows,
    link_rows,
    loader_rows,
    network_rows,
    plan_rows,
    start_rows,
    warp_rows,
)  # fmt: skip
from benchmarks.timing import Timing

ROWS: dict[str, Callable[[], list[Timing]]] = {
    "B1 warp 20 to 20 m, nearest, 6 bands": lambda: warp_rows.same_size("nearest"),
    "B1 warp 20 to 20 m, bilinear, 6 bands": lambda: warp_rows.same_size("bilinear"),
    "B2 mask and average 20 to 100 m, 6 bands, 4 dates": warp_rows.masked_average,
    "B3 remote ingest, 80 ms, 4 x 20 MB/s": link_rows.remote_ingest,
    "B4 cube write, zstd 3, /dev/shm, 1 GB": lambda: cube_rows.write(
        cube_rows.MEMORY, "zstd", durable=False
    ),
    "B4 cube write, lz4, /dev/shm, 1 GB": lambda: cube_rows.write(
        cube_rows.MEMORY, "lz4", durable=False
    ),
    "B4 cube write, zstd 3, disk with fsync, 1 GB": lambda: cube_rows.write(
        cube_rows.DISK, "zstd", durable=True
    ),
    "B4 cube write, lz4, disk with fsync, 1 GB": lambda: cube_rows.write(
        cube_rows.DISK, "lz4", durable=True
    ),
    "B4 cube verify, /dev/shm, 0.6 GB": cube_rows.verifying,
    "B5 chips in order, batches of 100, lz4": lambda: chips_rows.in_order("lz4"),
    "B5 chips at random, batches of 100, lz4": lambda: chips_rows.at_random("lz4"),
    "B5 chips at random, one by one, lz4": lambda: chips_rows.one_by_one("lz4"),
    "B5 Sentinel-2 of chips at random, batches of 100, lz4": lambda: chips_rows.sentinel2_alone(
        "lz4"
    ),
    "B5 chips in order, batches of 100, as they are": lambda: chips_rows.in_order("none"),
    "B5 chips at random, batches of 100, as they are": lambda: chips_rows.at_random("none"),
    "B5 chips at random, one by one, as they are": lambda: chips_rows.one_by_one("none"),
    "B5 Sentinel-2 of chips at random, batches of 100, as they are": lambda: (
        chips_rows.sentinel2_alone("none")
    ),
    "B6 loader to step": loader_rows.feed,
    "B7 step, ResNet-50, 8 looks": lambda: network_rows.step("cnn"),
    "B7 step, ViT-S, 8 looks": lambda: network_rows.step("vit"),
    "B8 forecast, ResNet-50, 8 looks": lambda: network_rows.forecast("cnn"),
    "B8 forecast, ViT-S, 8 looks": lambda: network_rows.forecast("vit"),
    "B11 FWI, 256 x 256 x 120 days": fwi_rows.season,
    "B11 FWI, 2048 x 2048 x 30 days": fwi_rows.month,
    "B13 start-up": start_rows.start,
    "B13 plan of a full manifest": plan_rows.plan,
}
OUTPUT = Path("out/bench.json")


def main(chosen: list[str]) -> None:
    """Run the rows whose names begin with one of `chosen`, or all."""
    results = {}
    load = psutil.getloadavg()[0]
    print(f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores, load {load}")
    for name, row in ROWS.items():
        if chosen and name.split()[0] not in chosen:
            continue
        timings = row()
        results[name] = [vars(timing) for timing in timings]
        print(f"\n{name}")
        first = timings[0].median
        for timing in timings:
            ratio = timing.median / first
            print(
                f"  {timing.name:28} {timing.median:9.4f} s  +-{timing.spread:.4f}"
                f"  {ratio:6.2f} x ours  {timing.note}"
            )
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps({"load": load, "rows": results}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
