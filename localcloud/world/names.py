"""Where a Google address is answered on this machine.

`resolve(cloud, url) -> str`
- `https://REGION-PROJECT.cloudfunctions.net/NAME…` is the front door: `cloud.front + "/NAME…"`.
- `https://ANYTHING.googleapis.com/PATH` is the API port: `cloud.endpoint + "/PATH"`.
- `https://LOCATION-docker.pkg.dev/PATH` is the registry on the API port.
- Everything else (the loopback, above all) stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from localcloud.world.cloud import Cloud


def resolve(cloud: Cloud, url: str) -> str:
    """The local address of `url`; path and query are kept."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return url
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    if host.endswith(".cloudfunctions.net"):
        return cloud.front + rest
    if host.endswith((".googleapis.com", "-docker.pkg.dev")):
        return cloud.endpoint + rest
    return url
