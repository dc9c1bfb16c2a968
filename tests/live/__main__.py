"""`python -m tests.live PROJECT`: a dry run that prints each call of the live stories and sends nothing."""

from __future__ import annotations

import sys

from sealtrain.rules.settings import Settings

from tests.live.cloud import Cloud
from tests.live.stories import STORIES


def calls(project: str, region: str = "us-central1") -> dict[str, list[str]]:
    """The calls of each story, in order."""
    told = {}
    for name, story in STORIES.items():
        cloud = Cloud(Settings(project=project, project_number="1", region=region), dry=True)
        story(cloud)
        told[name] = cloud.printed
    return told


def main() -> None:
    """Print them."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.live PROJECT   (prints the calls; pytest tests/live makes them)")
    for name, printed in calls(sys.argv[1]).items():
        print(f"{name}: {STORIES[name].__doc__}")
        print("".join(f"  {call}\n" for call in printed))


if __name__ == "__main__":
    main()
