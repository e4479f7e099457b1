-- One row per record or value that could not be used, with where it stood.
-- grain: object_url, object_version, record_number, reject_rule, reject_column
select
    object_url,
    object_version,
    record_number,
    reject_rule,
    reject_column,
    source,
    source_account,
    entity,
    is_value_only = 1 as is_value_only,
    raw_text
from staged_rejects
