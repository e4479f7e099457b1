-- Each row is a version of a raw object with records that went nowhere or were counted twice, or
-- with more rows in use than it gave.
select
    object_url,
    object_version,
    n_read,
    n_used,
    n_duplicate,
    n_rejected,
    n_skipped,
    n_partly_rejected,
    n_rows,
    n_rows_newest
from load_reconciliation
where
    n_read <> n_used + n_duplicate + n_rejected + n_skipped
    or n_partly_rejected < 0
    or n_rows_superseded < 0
