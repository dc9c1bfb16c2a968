"""Learn the mean line length of the data: read --data, write a model and metrics.json to --out."""

import argparse
import json
import struct
from pathlib import Path

parser = argparse.ArgumentParser()
for place in ("--data", "--out", "--arguments"):
    parser.add_argument(place, type=Path, required=True)
given = parser.parse_args()

lengths = [
    len(line)
    for file in sorted(given.data.rglob("*"))
    if file.is_file()
    for line in file.read_bytes().splitlines()
]
mean = sum(lengths) / max(1, len(lengths))
header = json.dumps({"mean": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}).encode()
model = struct.pack("<Q", len(header)) + header + struct.pack("<d", mean)
(given.out / "model.safetensors").write_bytes(model)
(given.out / "metrics.json").write_text(json.dumps({"lines": len(lengths)}))
