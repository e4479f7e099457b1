-- One row per change of an export against its own days before: a column that is new, that is gone
-- from its newest day, or that holds another kind of value since a day.
-- grain: source, source_account, entity, column_name, change, dt, column_kinds
with

seen as (

    select
        source,
        source_account,
        entity,
        column_name,
        column_kinds,
        dt,
        is_read
    from staged_seen_columns

),

exports as (

    select
        source,
        source_account,
        entity,
        min(dt) as first_dt,
        max(dt) as last_dt
    from seen
    group by source, source_account, entity

),

columns_seen as (

    select
        source,
        source_account,
        entity,
        column_name,
        min(dt) as first_dt,
        max(dt) as last_dt,
        max(is_read) as is_read
    from seen
    group by source, source_account, entity, column_name

),

kinds_seen as (

    select
        source,
        source_account,
        entity,
        column_name,
        column_kinds,
        min(dt) as first_dt
    from seen
    where column_kinds <> ''
    group by source, source_account, entity, column_name, column_kinds

),

first_kinds as (

    select
        source,
        source_account,
        entity,
        column_name,
        min(first_dt) as first_dt
    from kinds_seen
    group by source, source_account, entity, column_name

),

changes as (

    select
        columns_seen.source,
        columns_seen.source_account,
        columns_seen.entity,
        columns_seen.column_name,
        'new_column' as change,
        columns_seen.first_dt as dt,
        '' as column_kinds,
        columns_seen.is_read
    from columns_seen
    inner join exports using (source, source_account, entity)
    where columns_seen.first_dt > exports.first_dt

    union all

    select
        columns_seen.source,
        columns_seen.source_account,
        columns_seen.entity,
        columns_seen.column_name,
        'lost_column' as change,
        columns_seen.last_dt as dt,
        '' as column_kinds,
        columns_seen.is_read
    from columns_seen
    inner join exports using (source, source_account, entity)
    where columns_seen.last_dt < exports.last_dt

    union all

    select
        kinds_seen.source,
        kinds_seen.source_account,
        kinds_seen.entity,
        kinds_seen.column_name,
        'changed_type' as change,
        kinds_seen.first_dt as dt,
        kinds_seen.column_kinds,
        columns_seen.is_read
    from kinds_seen
    inner join first_kinds using (source, source_account, entity, column_name)
    inner join columns_seen using (source, source_account, entity, column_name)
    where kinds_seen.first_dt > first_kinds.first_dt

)

select
    source,
    source_account,
    entity,
    column_name,
    change,
    dt,
    column_kinds,
    is_read = 1 as is_read
from changes
