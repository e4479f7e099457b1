-- One row per version of a raw object: what was read and what became of it.
-- grain: object_url, object_version
select
    object_url,
    object_version,
    source,
    source_account,
    entity,
    dt,
    object_bytes,
    sha256,
    n_read,
    n_used,
    n_duplicate,
    n_rejected,
    n_skipped
from object_ledger
