"""A run's report and the small rules beneath it."""

import json
from functools import lru_cache

import markupsafe
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealtrain.rules import bundle, claims, cost, names, outcome, proof, report, tables
from sealtrain.rules.evidence import certificates
from sealtrain.rules.facts import Evidence, Facts
from sealtrain.rules.ledger import Entry
from sealtrain.rules.resources import KeyVersion

from tests.functions import authority
from tests.functions.closing import BUNDLE_KEY, World
from tests.functions.rules.test_claims import good as good_evidence
from tests.functions.rules.test_claims import rewritten


@lru_cache(maxsize=1)
def statement() -> bundle.Statement:
    world = World()
    run = world.succeed()
    world.end(run)
    data = world.storage.get(world.evidence, names.bundle(run))
    return bundle.open_statement(data, authority.public_pem(BUNDLE_KEY))


def made(**changes: object) -> report.Report:
    built = report.build(statement(), authority.root_pem(), "sha256:" + "00" * 32)
    return msgspec.structs.replace(built, **changes)


def test_same_statement_gives_the_same_bytes() -> None:
    """Built twice, both forms are byte for byte the same."""
    assert report.to_json(made()) == report.to_json(made())
    assert report.to_html(made()) == report.to_html(made())


def test_page_stands_alone() -> None:
    """The page loads nothing, runs nothing, and says what was not checked."""
    page = report.to_html(made()).decode()
    for word in ("<script", "http://", "https://", "<img", "<link", "@import", "url("):
        assert word not in page
    assert all(str(markupsafe.escape(limit)) in page for limit in report.NOT_CHECKED)


@pytest.mark.parametrize("name", ["SIMULATED", "nothing was attested", certificates.GOOGLE])
def test_trust_root_stands_in_the_band(name: str) -> None:
    """The band says whose word it is; SIMULATED in words that cannot be missed."""
    root = bundle.TrustRoot(name=name, sha256="00")
    page = report.to_html(made(trust_root=root, simulated=name == "SIMULATED")).decode()
    band = page.split('<div class="band')[1].split("</div>")[0]
    assert name in band
    assert ("SIMULATED" in band) == (name == "SIMULATED")


def test_chain_names_every_link() -> None:
    """The chain goes from data to model, each link with its digest or name."""
    assert [link.name for link in made().chain] == [
        "data", "order", "image", "attestation", "key", "receipt", "model",
    ]  # fmt: skip
    assert all(link.value for link in made().chain)


def test_every_file_is_named_with_size_and_digest() -> None:
    """What went in and what came out: each file with its bytes and the SHA-256 that `sha256sum` prints."""
    built, stated = made(), statement().predicate
    facts = Facts(stated.evidence, authority.root_pem())
    assert facts.order is not None
    assert facts.receipt is not None
    wanted = [("dataset", f.path, f.size, f.sha256) for f in facts.order.dataset.files]
    wanted += [("model", f.name, f.size, f.sha256) for f in facts.receipt.model]
    assert [(f.of, f.name, f.size, f.sha256) for f in built.files] == wanted
    page = report.to_html(built).decode()
    assert all(f"<code>{digest.removeprefix('sha256:')}</code>" in page for _, _, _, digest in wanted)


def test_every_claim_says_how_it_was_checked_and_every_record_is_listed() -> None:
    """An auditor reads for each claim what was compared, and finds each record that one rests on."""
    assert set(report.CHECKED_BY) == {name for name, *_ in claims.TABLE}
    page = report.to_html(made()).decode()
    assert all(str(markupsafe.escape(sentence)) in page for sentence in report.CHECKED_BY.values())
    named = {record.name for claim in made().claims for record in claim.records}
    assert [record.name for record in made().records] == sorted(named)
    assert all(f"<code>{name}</code>" in page for name in named)


def test_a_run_that_made_nothing_has_a_page_too() -> None:
    """Without order, machine and model the page says what is missing instead of staying silent."""
    empty: dict[str, object] = {"files": (), "machine": "", "trainer": "", "resources": (), "cost": None}
    page = report.to_html(made(**empty, attempts=(), clauses=(), metrics={}, records=())).decode()
    for told in ("no order was frozen", "none was made", "the run made nothing", "No token came"):
        assert told in page


def test_outside_text_is_escaped() -> None:
    """A reason or a metric's name from outside cannot become markup."""
    page = report.to_html(made(reason="<script>x</script>", metrics={"<b>": 1})).decode()
    assert "<script" not in page
    assert "&lt;b&gt;" in page


def test_a_root_of_google_is_named_only_for_a_met_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a root pinned as Google's, a run without a met token says that nothing was attested."""
    root = authority.good_path()[2]
    pinned = frozenset({certificates.fingerprint(root)})
    monkeypatch.setattr(certificates, "GOOGLE_ROOTS", pinned)
    empty = msgspec.structs.replace(good_evidence(), records={}, ledger=(), logs=())
    for evidence, name in ((good_evidence(), certificates.GOOGLE), (empty, "nothing was attested")):
        stated = bundle.state(
            evidence,
            root_pem=authority.root_pem(),
            outcome="failed",
            reason="",
            closed_at="2026-11-22T13:00:00+00:00",
            signer=statement().predicate.signer,
        )
        assert stated.predicate.trust_root.name == name


def test_a_reason_keeps_what_the_owner_needs_to_act() -> None:
    """The run's reason holds field, got, expected and remedy of the step's error, or the job's own words."""
    evidence = msgspec.structs.replace(good_evidence(), records={})
    failure = {
        "code": "dataset_not_pinned",
        "message": "no",
        "field": "dataset",
        "got": "sha256:1",
        "expected": "sha256:2",
        "remedy": "correct it",
        "status": 422,
    }
    told = "dataset_not_pinned: no (field dataset; got sha256:1; expected sha256:2; do correct it)"
    assert outcome.outcome_of(evidence, [], failure, False) == ("refused", told)
    job = {"code": "FAILED", "message": "trainer_disk: full"}
    assert outcome.outcome_of(evidence, [], job, False) == ("failed", "trainer_disk: full")


@given(
    got=st.text(max_size=40),
    remedy=st.sampled_from(["correct it", "split it, or seal it (`sealtrain seal`)"]),
)
def test_a_reason_comes_apart_into_what_happened_and_what_to_do(got: str, remedy: str) -> None:
    """Whatever was got: the remedy is the last word, whole; a reason without one stays as it is."""
    evidence = msgspec.structs.replace(good_evidence(), records={})
    failure = {"code": "refused", "message": "no", "got": got, "remedy": remedy}
    _, reason = outcome.outcome_of(evidence, [], failure, False)
    assert outcome.split(reason) == (f"refused: no (got {got})" if got else "refused: no", remedy)
    del failure["remedy"]
    _, reason = outcome.outcome_of(evidence, [], {**failure, "got": "x"}, False)
    assert outcome.split(reason) == (reason, "")


def entry(kind: str, phase: str, time: str, **detail: str) -> Entry:
    return Entry("r0", kind, f"projects/p/zones/z/{kind}s/x", phase, time, "test", detail)  # type: ignore[arg-type]


def test_lifetimes_and_proof_tell_what_is_left() -> None:
    """A resource without a sighting of its absence is left; one with it is not."""
    ledger = [
        entry("instance", "intent", "2026-11-22T12:00:00Z"),
        entry("instance", "made", "2026-11-22T12:00:01Z"),
        entry("key", "intent", "2026-11-22T11:00:00Z"),
        entry("key", "gone", "2026-11-22T12:30:00Z", query="list", state="absent"),
    ]
    told = proof.prove("r0", "2026-11-22T13:00:00Z", ledger, ["q"], [])
    assert [line.kind for line in told.resources] == ["key", "instance"]
    assert told.left == ("projects/p/zones/z/instances/x",)
    assert told.resources[0].query == "list"


def test_a_machine_that_was_listed_and_refused_never_ran() -> None:
    """It has no time of making, so it costs nothing; one that was only listed counts from then."""
    listed = [
        entry("instance", "intent", "2026-11-22T12:00:00Z"),
        entry("instance", "listed", "2026-11-22T12:00:01Z"),
    ]
    refused = entry("instance", "refused", "2026-11-22T12:00:09Z")
    assert [one.created for one in proof.lifetimes(listed)] == ["2026-11-22T12:00:01Z"]
    assert [one.created for one in proof.lifetimes([*listed, refused])] == [""]


def test_a_key_is_gone_when_no_version_can_be_used() -> None:
    """The proof says when the last version is really destroyed: until then it could be restored."""
    scheduled = KeyVersion("k/1", "DESTROY_SCHEDULED", "2026-12-22T12:00:00+00:00")
    assert proof.key_gone([scheduled, KeyVersion("k/2", "ENABLED")]) is None
    assert proof.key_gone([KeyVersion("k/1", "DESTROYED", "2026-11-22T12:00:00+00:00")]) == proof.KEY_GONE
    told = proof.key_gone([KeyVersion("k/1", "DESTROYED", "2026-11-22T12:00:00+00:00"), scheduled])
    assert told == f"{proof.KEY_GONE}; the last is destroyed at 2026-12-22T12:00:00+00:00"


def test_targets_are_ledger_and_inventory_in_order_of_deletion() -> None:
    """What is gone is left out, unless the inventory shows it again."""
    ledger = [entry("key", "intent", "t"), entry("bucket", "intent", "t"), entry("bucket", "gone", "t")]
    bucket = ("bucket", "projects/p/zones/z/buckets/x")
    key, machine = ("key", "projects/p/zones/z/keys/x"), ("instance", "m")
    assert proof.targets(ledger, []) == [key]
    assert proof.targets(ledger, [machine, bucket]) == [machine, bucket, key]  # type: ignore[list-item]


def test_cost_counts_a_machine_once_and_an_idle_reservation() -> None:
    """Machines of several zones add up; a reservation counts where it stood longer."""
    plan = msgspec.json.decode(good_evidence().records["plan"].text, type=cost.Plan)
    lines = [
        proof.Lifetime(kind, kind, "", "2026-11-22T12:00:00Z", gone, "q", "absent")
        for kind, gone in (
            ("instance", "2026-11-22T12:00:10Z"),
            ("instance", "2026-11-22T12:00:20.5Z"),
            ("reservation", "2026-11-22T12:00:25Z"),
        )
    ]
    found = cost.estimate(plan, lines, "")
    assert found is not None
    assert found.machine_seconds == 31
    assert found.usd == round(plan.usd_per_hour * 31 / 3600, 4)
    assert cost.estimate(None, lines, "") is None


@pytest.mark.parametrize(
    ("failure", "asked", "told", "wanted"),
    [
        (None, proof.RUN_ENDED, False, "succeeded"),
        ({"code": "FAILED", "message": "x"}, proof.RUN_ENDED, False, "failed"),
        ({"code": "source_changed"}, proof.RUN_ENDED, False, "refused"),
        ({"code": "bad_job"}, proof.RUN_ENDED, True, "refused"),
        ({"code": "LOST"}, "asked by the owner", False, "torn_down"),
        ({}, "", False, "failed"),
    ],
)
def test_outcome(failure: dict[str, str] | None, asked: str, told: bool, wanted: str) -> None:
    """The outcome follows from the failure, from who asked for the end, and from refusals."""
    record = rewritten(good_evidence().records["teardown"], {"reason": asked})
    evidence: Evidence = msgspec.structs.replace(
        good_evidence(), records={**good_evidence().records, "teardown": record}
    )
    judged = claims.evaluate(Facts(evidence, authority.root_pem()))
    found, reason = outcome.outcome_of(evidence, judged, failure, told)
    assert found == wanted
    assert outcome.objection(found, evidence, judged) == ""
    assert bool(reason) == (wanted != "succeeded")


@pytest.mark.parametrize("verdict", ["not_met", "no_evidence"])
@pytest.mark.parametrize("claim", sorted(outcome.MET_IN_SUCCESS))
def test_success_is_not_said_without_its_claims(claim: str, verdict: str) -> None:
    """A run whose workflow went well and whose records do not show it has failed, by the claim's name."""
    judged = [
        msgspec.structs.replace(one, verdict=verdict) if one.id == claim else one
        for one in claims.evaluate(Facts(good_evidence(), authority.root_pem()))
    ]
    found, reason = outcome.outcome_of(good_evidence(), judged, None, False)
    assert (found, claim in reason) == ("failed", True)


def test_rows_fit_their_tables() -> None:
    """A row has exactly its table's columns, and the same thing has the same row id."""
    run = tables.run_row(
        run="r0", outcome="failed", reason="", closed_at="t", bundle_sha256="s", trust_root="SIMULATED",
        claims={"a": "met", "b": "no_evidence"}, usd=None, usd_worst_case=None,
    )  # fmt: skip
    about = tables.attestation_row(
        run=None, kind="k", time="t", verdict="met", reasons=(), evidence_object="o",
        evidence_sha256="s", trust_root=None,
    )  # fmt: skip
    for name, row in (("runs", run), ("attestations", about)):
        assert set(row) == {field["name"] for field in tables.TABLES[name]}
        required = {f["name"] for f in tables.TABLES[name] if f["mode"] == "REQUIRED"}
        assert all(row[field] is not None for field in required)
    assert (run["claims_met"], run["claims_no_evidence"]) == (1, 1)
    assert json.loads(run["claims"]) == {"a": "met", "b": "no_evidence"}
    assert tables.row_id("runs", "r0") == run["row_id"] != tables.row_id("runs", "r1")
