-- One row per dated change that a ticket tells of itself.
-- grain: source_id
-- canonical: conversation_changes
with

raw as (

    select * from raw_hubspot__tickets

),

kinds (kind) as (

    values ('opened'), ('first_reply'), ('resolved')

),

dated as (

    select
        raw.*,
        kinds.kind,
        case kinds.kind
            when 'opened' then raw.created_at
            when 'first_reply' then raw.first_reply_at
            else raw.closed_at
        end as changed_at
    from raw
    cross join kinds

),

mapped as (

    select
        record_id,
        ticket_id || ':' || kind as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        ticket_id as conversation_source_id,
        kind,
        case when kind = 'first_reply' then 'agent' end as author_kind,
        changed_at
    from dated
    where changed_at is not null

)

select * from mapped
