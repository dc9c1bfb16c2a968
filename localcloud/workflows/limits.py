"""The platform's limits, as numbers.

Source: Google's page "Quotas and limits" of Workflows. What a deployment checks uses the constants;
what an execution meets stands in `Limits`, so that a test can make it small.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE_BYTES = 128 * 1024
RESPONSE_BYTES = 2 * 1024 * 1024
ARGUMENT_BYTES = 32 * 1024
EXPRESSION_CHARACTERS = 400
ASSIGNMENTS_PER_STEP = 50
CONDITIONS_PER_SWITCH = 50
BRANCHES_PER_PARALLEL = 10
PARAMS_PER_SUBWORKFLOW = 10
# Not Google's number: it bounds the parser's recursion, and no expression of 400 characters needs more.
EXPRESSION_NESTING = 60
# Nor this: it bounds the recursion of whatever goes through a source.
SOURCE_NESTING = 150
YEAR_S = 31_536_000
HTTP_TIMEOUT_S = 300
HTTP_TIMEOUT_MAX_S = 1800
CALLBACK_TIMEOUT_S = 43_200
UNHANDLED_BRANCHES_SHOWN = 100
INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one execution may use before it fails."""

    steps: int = 100_000
    call_depth: int = 20
    memory_bytes: int = 512 * 1024
    string_bytes: int = 256 * 1024
    response_bytes: int = RESPONSE_BYTES
    concurrent_branches: int = 20
    parallel_depth: int = 2
