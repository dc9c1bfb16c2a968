"""Tests of `rules.settings`."""

import pytest
from sealtrain.rules.errors import SettingsError
from sealtrain.rules.settings import Settings

GOOD = {
    "SEALTRAIN_PROJECT": "demo-project",
    "SEALTRAIN_PROJECT_NUMBER": "100000000001",
    "SEALTRAIN_REGION": "us-central1",
}


def test_what_is_unset_trusts_nothing() -> None:
    """No approved image, no root, no default trainer, and Google's own address."""
    settings = Settings.from_environ(GOOD)
    assert settings.deployment == "sealtrain"
    assert settings.approved_images == ()
    assert settings.attestation_root == settings.trainer == ""
    assert settings.endpoint is None


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_setting_is_named(name: str) -> None:
    """The refusal names the variable."""
    environ = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    assert caught.value.body.field == name


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8080", "http://localhost:1"])
def test_a_loopback_endpoint_is_taken(endpoint: str) -> None:
    """The override may be a loopback address over http with a port."""
    assert Settings.from_environ({**GOOD, "SEALTRAIN_ENDPOINT": endpoint}).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://example.com:80",
        "https://127.0.0.1:8080",
        "http://127.0.0.1",
        "http://127.0.0.1:8080/path",
        "http://127.0.0.1:8080@example.com:80",
        "http://user@127.0.0.1:8080",
        "http://127.0.0.1.example.com:80",
        "http://[::1]:80",
        "http://127.0.0.1:99999",
        "http://0.0.0.0:80",
        "http://127.1:80",
    ],
)
def test_any_other_endpoint_is_refused(endpoint: str) -> None:
    """An override must not be a way to lead production astray."""
    with pytest.raises(SettingsError):
        Settings.from_environ({**GOOD, "SEALTRAIN_ENDPOINT": endpoint})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEALTRAIN_PROJECT", "Demo"),
        ("SEALTRAIN_PROJECT", "a"),
        ("SEALTRAIN_PROJECT_NUMBER", "12a"),
        ("SEALTRAIN_REGION", "us-central1-a"),
        ("SEALTRAIN_DEPLOYMENT", "too-long-a-name"),
        ("SEALTRAIN_DEPLOYMENT", "ends-"),
        ("SEALTRAIN_APPROVED_IMAGES", "latest"),
    ],
)
def test_a_malformed_setting_is_named(name: str, value: str) -> None:
    """The refusal names the variable and what stood there."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({**GOOD, name: value})
    assert (caught.value.body.field, caught.value.body.got) == (name, value)


def test_approved_images_are_a_list() -> None:
    """Digests are separated by commas, with or without spaces."""
    one, two = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    found = Settings.from_environ({**GOOD, "SEALTRAIN_APPROVED_IMAGES": f"{one}, {two},"})
    assert found.approved_images == (one, two)
