"""The one policy: as rules of our verifier and as the pool's condition."""

import celpy
import pytest
from sealtrain.rules.errors import InvalidRequestError
from sealtrain.rules.evidence import policy

from tests.functions import authority
from tests.functions.authority import REMOVED

KNOWN_TO_US_ALONE = {
    "ordered-image",
    "planned-hardware",
    "planned-zone",
    "instance",
    "instance-name",
    "gpu-present",
    "gpu-model",
}


def pool_admits(claims: dict[str, object]) -> bool:
    """Evaluate the pool's condition as Google does: an error is a refusal."""
    environment = celpy.Environment()
    condition = policy.to_cel(policy.load(), authority.settings())
    program = environment.program(environment.compile(condition))
    try:
        return bool(program.evaluate({"assertion": celpy.json_to_cel(claims)}))
    except celpy.CELEvalError:
        return False


def test_pool_admits_the_good_token() -> None:
    """The condition written from the policy holds for a good token."""
    assert pool_admits(authority.claims())
    assert pool_admits(authority.claims(submods__nvidia_gpu={"cc_mode": "ON"}))
    assert pool_admits(authority.claims(submods__container__env_override={}))
    assert pool_admits(authority.claims(submods__container__env_override=REMOVED))


def test_clauses_without_cel_are_those_the_pool_cannot_know() -> None:
    """Only clauses about one run's order, plan and ledger are missing from the condition."""
    missing = {clause.id for clause in policy.load().clauses if not clause.cel}
    assert missing == KNOWN_TO_US_ALONE


def test_every_clause_is_explained_once() -> None:
    """Clause ids are unique and every clause has a sentence for the report."""
    clauses = policy.load().clauses
    assert len({clause.id for clause in clauses}) == len(clauses)
    assert all(clause.sentence.endswith(".") for clause in clauses)


def test_no_approved_image_admits_none() -> None:
    """A deployment that approved nothing releases nothing, at either lock."""
    nothing = authority.settings(approved_images=())
    assert "image_digest in []" in policy.to_cel(policy.load(), nothing)
    findings = policy.check(
        policy.load(), authority.claims(), policy.deployment(nothing), authority.run_facts()
    )
    assert [finding.reason for finding in findings] == ["image"]


def test_condition_has_googles_length_at_most() -> None:
    """Too many approved images are refused before Google refuses the condition."""
    many = tuple("sha256:" + f"{n:064x}" for n in range(60))
    with pytest.raises(InvalidRequestError, match="4096"):
        policy.to_cel(policy.load(), authority.settings(approved_images=many))


def test_mapping_binds_the_image_digest() -> None:
    """The attribute that the key is granted to is the attested image digest."""
    mapping = policy.attribute_mapping()
    assert mapping["attribute.image_digest"] == "assertion.submods.container.image_digest"
    environment = celpy.Environment()
    program = environment.program(environment.compile(mapping["google.subject"]))
    subject = str(program.evaluate({"assertion": celpy.json_to_cel(authority.claims())}))
    assert subject == f"{authority.IMAGE}::{authority.INSTANCE_ID}"
    assert len(subject) <= 127


@pytest.mark.parametrize("text", [b"", b"version = 1", b"\xff", b'version = "1"\nodd = 2'])
def test_unreadable_policy_is_refused(text: bytes) -> None:
    """A policy file that is not exactly the format is refused."""
    with pytest.raises(InvalidRequestError, match="policy cannot be read"):
        policy.parse(text)


def test_digest_is_of_the_files_bytes() -> None:
    """Two policies that differ in a comment have two digests."""
    data = policy.POLICY_FILE.read_bytes()
    assert policy.parse(data).digest == policy.load().digest
    assert policy.parse(data + b"# more\n").digest != policy.load().digest
