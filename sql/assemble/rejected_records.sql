-- One row per record or value that could not be used, with where it stood.
-- grain: object_url, object_version, record_number, reject_rule, reject_column
with

newest as (

    select
        object_url,
        max(object_version) as newest_version
    from object_ledger
    group by object_url

),

told as (

    select
        staged_rejects.object_url,
        staged_rejects.object_version,
        staged_rejects.record_number,
        staged_rejects.reject_rule,
        staged_rejects.reject_column,
        staged_rejects.source,
        staged_rejects.source_account,
        staged_rejects.entity,
        staged_rejects.is_value_only = 1 as is_value_only,
        staged_rejects.raw_text,
        staged_rejects.object_version < newest.newest_version as is_superseded
    from staged_rejects
    inner join newest on staged_rejects.object_url = newest.object_url

)

select * from told
