"""The whole deployment from its settings: the one description, applied here and compared with Terraform's.

- Everything follows from the step table, the names, the policy and the tables; nothing is decided twice.
"""

from __future__ import annotations

from sealtrain.rules.settings import Settings

from cli.deploy import identities, places, services
from cli.deploy.description import Audit, Grant, Parts, World
from cli.deploy.roles import Roles, of_functions, place

KEY_AUDIT = Audit(
    service="cloudkms.googleapis.com",
    log_types=("DATA_READ",),
    reason="who opened a data key is on record, and in the run's bundle",
)


def describe(settings: Settings, parts: Parts) -> World:
    """Every resource in the order of making, and every grant with its reason."""
    roles = Roles(settings)
    grants = [*of_functions(settings, roles), *identities.of_platform(settings, roles, parts.owner)]
    on_dataset = place(settings, "dataset")[0]
    access = [{"role": grant.role, "iamMember": grant.member} for grant in grants if grant.on == on_dataset]
    resources = [
        *identities.accounts(settings),
        *roles.resources(),
        *services.pool(settings),
        *places.keys(settings),
        *places.buckets(settings),
        *places.topics(settings),
        *places.dataset(settings, access),
        places.trainers(settings),
        *services.functions(settings, parts),
        *services.workflows(settings, parts),
        *services.subscriptions(settings),
        *services.schedules(settings),
        services.sink(settings),
    ]
    return World(
        project=settings.project,
        region=settings.region,
        resources=tuple(resources),
        grants=tuple(sorted(grants, key=_order)),
        audits=(KEY_AUDIT,),
    )


def _order(grant: Grant) -> tuple[str, str, str, str]:
    return grant.on, grant.role, grant.member, grant.condition
