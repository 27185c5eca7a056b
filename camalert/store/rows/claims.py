"""Which node examines which picture, where several nodes share one database.

A claim is a lease: it runs out unless its node extends it, so a node that died keeps nobody waiting, and no try is
counted for it. It saves work and decides nothing: of two verdicts the first one is written, whoever has the claim.

Times are the database's, for the clocks of nodes differ.
"""

from __future__ import annotations

from collections.abc import Iterable

from camalert.store.interface import Rows
from camalert.store.rows.tables import NOW

FRESH_S = 5.0  # a picture is its receiver's at first; what has no slot by then is anybody's
LEASE_S = 15.0
EXTEND_EVERY_S = 3.0

# What a query for pending rows `p` adds, so that `:node` is not told of what others examine.
FREE = (
    " AND NOT EXISTS (SELECT 1 FROM camalert_lease l WHERE l.alert_id = p.alert_id AND l.node <> :node"
    f" AND l.until_utc > {NOW})"
)
WAITS_S = 86_400.0  # so long a picture waits for a node that has a slot of its size
# And this for large ones: a node without such a slot could only give up what another one can examine.
FITS = f" AND (p.bytes <= :largest OR coalesce(m.received_utc, 0) < {NOW} - {WAITS_S})"


def take(rows: Rows, alert_id: int, node: str, lease_s: float | None = None) -> bool:
    """Claim a picture for a node, inside a transaction; return False when it is another one's, or no more."""
    found = rows.execute(
        f"INSERT INTO camalert_lease (alert_id, node, until_utc) SELECT alert_id, :node, {NOW} + :lease"
        " FROM camalert_pending WHERE alert_id = :id"
        " ON CONFLICT (alert_id) DO UPDATE SET node = excluded.node, until_utc = excluded.until_utc"
        f" WHERE camalert_lease.node = excluded.node OR camalert_lease.until_utc <= {NOW}",
        {"id": alert_id, "node": node, "lease": LEASE_S if lease_s is None else lease_s},
    )
    return found.rowcount > 0


def extend(rows: Rows, alert_ids: Iterable[int], node: str) -> int:
    """Keep the claims on what a node is examining, inside a transaction; what was taken over stays the other's."""
    rows.executemany(
        f"UPDATE camalert_lease SET until_utc = {NOW} + ? WHERE alert_id = ? AND node = ?",
        [(LEASE_S, alert_id, node) for alert_id in alert_ids],
    )
    return 0
