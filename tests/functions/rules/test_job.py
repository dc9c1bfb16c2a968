"""Tests of `rules.job`."""

import pytest
from sealtrain.rules.errors import RefusedError
from sealtrain.rules.job import Job, default_job, settle_image

from tests.functions.memory import DIGEST, IMAGE


def test_default_job_follows_the_files_name() -> None:
    """A lone `.csv` is a CSV job, any other file is taken as it is."""
    assert default_job("incoming/DATA.CSV").format == "csv"
    assert default_job("incoming/data.bin").format == "files"


@pytest.mark.parametrize(
    "image",
    [
        "",
        "trainer",
        "host/trainer:latest",
        "host/trainer@sha256:abc",
        f"host/trainer:latest@{DIGEST} ",
        f"HOST/x@{DIGEST}",
        f"host/../x@{DIGEST}",
    ],
)
def test_an_image_must_be_pinned(image: str) -> None:
    """A tag, a short digest or no image at all is refused."""
    with pytest.raises(RefusedError) as caught:
        settle_image(Job(trainer=image), "", (DIGEST,))
    assert caught.value.code == "image_not_pinned"


def test_an_image_must_be_approved() -> None:
    """A pinned image that the operator did not approve is refused; with no list, every image is."""
    with pytest.raises(RefusedError) as caught:
        settle_image(Job(), IMAGE, ())
    assert caught.value.code == "image_not_approved"
    assert settle_image(Job(), IMAGE, (DIGEST,)) == (IMAGE, DIGEST)
