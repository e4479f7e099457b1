-- One row per event that changes a ticket or one of its targets; clocks that only run are skipped.
-- grain: source_id
-- canonical: conversation_changes
with

raw as (

    select * from raw_zendesk__ticket_metric_events

),

told as (

    select
        *,
        case
            when event_type = 'apply_sla' then 'target_applied'
            when event_type = 'breach' then 'target_breached'
            when metric = 'reply_time' and instance_id = 1 and event_type = 'fulfill' then 'first_reply'
            when metric = 'resolution_time' and event_type = 'fulfill' then 'resolved'
            when metric = 'resolution_time' and event_type = 'activate' and instance_id > 1 then 'reopened'
            when metric = 'resolution_time' and event_type = 'activate' then 'opened'
        end as kind
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        event_id as source_id,
        extracted_at,
        is_deleted,
        ticket_id as conversation_source_id,
        'tickets' as conversation_entity,
        kind,
        case
            when kind not in ('target_applied', 'target_breached') then null
            when metric = 'reply_time' and instance_id = 1 then 'first_response'
            when metric = 'reply_time' then 'next_response'
            when metric = 'resolution_time' then 'resolution'
            else 'other'
        end as metric,
        case when kind = 'target_applied' then coalesce(target_seconds, target_minutes * 60) end
            as target_seconds,
        case when kind = 'target_applied' then is_business_time end as is_business_time,
        case when kind = 'target_applied' then policy end as value_text,
        case when kind in ('first_reply', 'resolved') then 'agent' end as author_kind,
        occurred_at as changed_at
    from told
    where kind is not null

)

select * from mapped
