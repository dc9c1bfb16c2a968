"""Writes until somebody stops it."""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
for place in ("--data", "--out", "--arguments"):
    parser.add_argument(place, type=Path, required=True)
given = parser.parse_args()
number = 0
while True:
    (given.out / f"{number}.safetensors").write_bytes(bytes(1 << 20))
    number += 1
