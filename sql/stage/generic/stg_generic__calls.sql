-- One row per call; its ticket is named, so that the pair counts once.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_generic__calls

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        'call' as kind,
        'phone' as channel,
        subject,
        case
            when is_resolved then 'resolved'
            when ended_at is not null then 'closed'
            else 'open'
        end as status,
        touchpoint,
        product,
        agent as assignee,
        queue as team,
        started_at as created_at,
        case when is_resolved then ended_at end as resolved_at,
        ended_at as closed_at,
        case when answered_at is not null or outcome = 'answered' then wait_seconds end as vendor_first_response_seconds,
        case when ticket_source_id is not null then ticket_source end as linked_source,
        ticket_source_id as linked_source_id,
        lower(language) as language,
        case when answered_at is not null or outcome = 'answered' then 'human' end as handled_by
    from raw

)

select * from mapped
