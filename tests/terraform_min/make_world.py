"""`make world`: terraform_min/ applied offline over placeholders, as the file that `sealtrain up` applies."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from cli.deploy import world
from cli.deploy.terraform_state import world as read
from cli.package import object_name
from tests.terraform_min.offline.terraform import Terraform

ARCHIVE = b"archive"


def variables(folder: Path) -> dict[str, Any]:
    """What the placeholders are to terraform."""
    (folder / "root.pem").write_text(world.ROOT_CERTIFICATE)
    return {
        "project_id": world.PROJECT,
        "approved_images": [world.DIGEST],
        "trainer": world.TRAINER,
        "owners": [world.OWNER],
        "attestation_root": "../root.pem",
    }


def made(state: dict[str, Any]) -> str:
    """The text of world.json from an applied state."""
    return world.text(read(state), object_name(ARCHIVE))


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        terraform = Terraform(folder, ARCHIVE).init()
        terraform.plan(**variables(folder))
        world.FILE.write_text(made(terraform.apply()))
    print(world.FILE)


if __name__ == "__main__":
    main()
