-- One row per warning about a raw object and a column of it; its records were used.
-- grain: object_url, object_version, warning_rule, warning_column
select
    object_url,
    object_version,
    warning_rule,
    warning_column,
    source,
    source_account,
    entity,
    n_records,
    sample
from staged_warnings
