-- One row per conversation.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_generic__conversations

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        coalesce(is_deleted, false) or coalesce(status, 'open') = 'deleted' as is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        anonymous_id,
        lower(social_handle) as social_handle,
        coalesce(kind, 'ticket') as kind,
        lower(channel) as channel,
        subject,
        coalesce(
            status,
            case
                when closed_at is not null then 'closed'
                when resolved_at is not null then 'resolved'
                else 'open'
            end
        ) as status,
        priority,
        touchpoint,
        product,
        assignee,
        team,
        created_at,
        resolved_at,
        closed_at,
        merged_into,
        account_source_id,
        linked_source,
        linked_source_id,
        tags,
        lower(language) as language,
        handled_by,
        is_internal
    from raw

)

select * from mapped
