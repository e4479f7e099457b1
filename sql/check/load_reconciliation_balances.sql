-- Each row is a version of a raw object with records that went nowhere or were counted twice.
select
    object_url,
    object_version,
    n_read,
    n_used,
    n_duplicate,
    n_rejected,
    n_skipped
from load_reconciliation
where n_read <> n_used + n_duplicate + n_rejected + n_skipped
