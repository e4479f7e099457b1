-- One row per step of a case that is dated: taken up, closed.
-- grain: source_id
-- canonical: conversation_changes
with

raw as (

    select * from raw_acquire__cases

),

kinds (kind) as (

    values ('assigned'), ('closed')

),

dated as (

    select
        raw.*,
        kinds.kind
    from raw
    cross join kinds
    where coalesce(raw.field_index, 1) = 1

),

mapped as (

    select
        record_id,
        case_id || ':' || kind as source_id,
        updated_at as source_updated_at,
        case_id as conversation_source_id,
        kind,
        case when kind = 'assigned' then user_id else closed_by end as value_text,
        'agent' as author_kind,
        case when kind = 'assigned' then active_at else closed_at end as changed_at
    from dated
    where (kind = 'assigned' and active_at is not null) or (kind = 'closed' and closed_at is not null)

)

select * from mapped
