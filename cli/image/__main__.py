"""Build a trainer's image, and push it.

    python -m cli.image build TRAINER_DIR -o DIR     writes the layout, prints the image digest
    python -m cli.image tree TRAINER_DIR -o DIR      writes /app only, for workload/Dockerfile
    python -m cli.image push DIR REFERENCE [--endpoint URL]
"""

import argparse
import sys
from pathlib import Path

from cli.image.layout import ImageError, build, tree
from cli.image.push import push, session_for


def main() -> None:
    """Read the command line and do one thing."""
    parser = argparse.ArgumentParser(prog="python -m cli.image")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("build", "tree"):
        command = verbs.add_parser(verb)
        command.add_argument("trainer_dir", type=Path)
        command.add_argument("-o", "--out", type=Path, required=True)
    command = verbs.add_parser("push")
    command.add_argument("layout", type=Path)
    command.add_argument("reference")
    command.add_argument("--endpoint")
    asked = parser.parse_args()
    try:
        print(_do(asked))
    except ImageError as error:
        sys.exit(f"refused: {error}")


def _do(asked: argparse.Namespace) -> str:
    if asked.verb == "build":
        return build(asked.trainer_dir, asked.out)
    if asked.verb == "push":
        return push(asked.layout, asked.endpoint, asked.reference, session_for(asked.endpoint))
    files = tree(asked.trainer_dir)
    for name, content in files.items():
        path = asked.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return f"{len(files)} files under {asked.out}"


if __name__ == "__main__":
    main()
