"""Certificate paths to a pinned root, both ways for each rule."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from sealtrain.rules.evidence.certificates import PathError, check_path, load_root

from tests.functions import authority
from tests.functions.authority import NOW, certificate, good_path


def refused(*path: x509.Certificate) -> str:
    with pytest.raises(PathError) as caught:
        check_path(path, good_path()[2], NOW)
    return str(caught.value)


def test_path_with_and_without_its_root_leads_to_the_leaf() -> None:
    """The pinned root may stand at the path's end or be left out."""
    leaf, middle, root = good_path()
    assert check_path((leaf, middle, root), root, NOW) == leaf
    assert check_path((leaf, middle), root, NOW) == leaf


def test_lone_leaf_and_long_path_are_refused() -> None:
    """A path has two to four certificates."""
    leaf, middle, root = good_path()
    assert "2 to 4" in refused(leaf)
    assert "2 to 4" in refused(leaf, middle, middle, middle, root)


def test_order_of_the_path_matters() -> None:
    """Each certificate is issued by the next one."""
    leaf, middle, root = good_path()
    assert "issued by" in refused(middle, leaf, root) or "authority" in refused(middle, leaf, root)


def test_expired_and_future_certificates_are_refused() -> None:
    """Every certificate of the path is valid at the given time."""
    _, middle, root = good_path()
    old = certificate("leaf", "intermediate", end=NOW - timedelta(days=1))
    new = certificate("leaf", "intermediate", start=NOW + timedelta(days=1))
    assert "a time from" in refused(old, middle, root)
    assert "a time from" in refused(new, middle, root)


def test_leaf_may_not_issue() -> None:
    """A leaf that signs another leaf is no authority."""
    leaf, middle, root = good_path()
    below = certificate("below", "leaf")
    assert "no authority" in refused(below, leaf, middle, root)


def test_authority_without_key_usage_is_refused() -> None:
    """An authority that may not sign certificates is refused."""
    leaf, _, root = good_path()
    weak = certificate("intermediate", "root", ca=True, sign_certificates=False)
    assert "keyCertSign" in refused(leaf, weak, root)


def test_path_length_is_kept() -> None:
    """An authority of path length zero has no authority under it."""
    root = good_path()[2]
    top = certificate("top", "root", ca=True, path_length=0)
    middle = certificate("middle", "top", ca=True)
    assert "at most 0" in refused(certificate("end", "middle"), middle, top, root)


def test_authority_as_leaf_is_refused() -> None:
    """The certificate whose key signs tokens is no authority."""
    _, middle, root = good_path()
    assert "as leaf" in refused(certificate("leaf", "intermediate", ca=True), middle, root)


def test_unknown_critical_extension_is_refused() -> None:
    """What a certificate calls critical and we do not understand is a refusal."""
    _, middle, root = good_path()
    odd = certificate("leaf", "intermediate", critical_unknown=True)
    assert "critical extension 1.2.3.4" in refused(odd, middle, root)


def test_same_name_and_other_root_is_refused() -> None:
    """A root of the same name with another key is not the pinned root."""
    leaf, middle, _ = good_path()
    other = certificate("root", "root", ca=True, issuer_key=authority.rsa_key("other"))
    assert refused(leaf, middle, other)


def test_root_is_one_certificate() -> None:
    """The pinned root is exactly one certificate in PEM."""
    assert load_root(authority.root_pem()) == good_path()[2]
    for bad in ("", "nothing", authority.root_pem() + authority.root_pem()):
        with pytest.raises(PathError, match="one certificate"):
            load_root(bad)


def test_a_certificate_of_an_unknown_signature_algorithm_is_refused() -> None:
    """What the library cannot name is a refusal of ours, not an exception of the library."""
    leaf, middle, root = good_path()
    sha256_with_rsa = bytes.fromhex("2a864886f70d01010b")
    der = leaf.public_bytes(serialization.Encoding.DER)
    unknown = der.replace(sha256_with_rsa, sha256_with_rsa[:-1] + b"\x7f")
    assert "cannot be read" in refused(x509.load_der_x509_certificate(unknown), middle, root)
