"""BigQuery: rows in, rows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sealtrain.cloud.failures import ours
from sealtrain.cloud.patience import briefly
from sealtrain.rules.errors import SealtrainError
from sealtrain.rules.settings import Settings

ROWS_WITHIN_S = 120.0  # a query computes; who asks has 300 s


class BigQuery:
    """Tables are named `project.dataset.table`."""

    def __init__(self, settings: Settings, credentials: Any = None) -> None:
        from google.cloud import bigquery

        self._types = bigquery
        options = {"api_endpoint": settings.endpoint} if settings.endpoint else None
        self._client = bigquery.Client(
            project=settings.project,
            location=settings.region,
            credentials=credentials,
            client_options=options,
        )

    def insert_rows(self, table: str, rows: Sequence[Mapping[str, Any]], row_ids: Sequence[str]) -> None:
        """Stream rows; equal row ids within a short time are one row. Raises on any bad row."""
        with ours(table):
            errors = self._client.insert_rows_json(
                table, [dict(r) for r in rows], row_ids=list(row_ids), **briefly()
            )
        if errors:
            raise SealtrainError("the table refused a row", code="row_refused", field=table, got=errors)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run a query with named scalar parameters (str, int, float, bool); give its rows."""
        kinds = {str: "STRING", bool: "BOOL", int: "INT64", float: "FLOAT64"}
        parameters = [
            self._types.ScalarQueryParameter(name, kinds[type(value)], value)
            for name, value in (params or {}).items()
        ]
        config = self._types.QueryJobConfig(query_parameters=parameters)
        with ours("query"):
            job = self._client.query(sql, job_config=config, job_retry=None, **briefly())
            return [dict(row) for row in job.result(retry=briefly()["retry"], timeout=ROWS_WITHIN_S)]
