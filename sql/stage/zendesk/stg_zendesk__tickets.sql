-- One row per ticket; a deleted one is a tombstone.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_zendesk__tickets

),

mapped as (

    select
        record_id,
        attributes,
        ticket_id as source_id,
        coalesce(generated_at, updated_at) as source_updated_at,
        extracted_at,
        coalesce(status = 'deleted', false) or coalesce(is_deleted, false) as is_deleted,
        requester_id as customer_source_id,
        email,
        phone,
        case
            when via_channel in ('chat', 'native_messaging') then 'chat'
            when via_channel = 'voice' then 'call'
            when via_channel in ('twitter', 'facebook') then 'social_dm'
            else 'ticket'
        end as kind,
        case
            when via_channel in ('email', 'web', 'chat') then via_channel
            when via_channel = 'native_messaging' then 'chat'
            when via_channel = 'voice' then 'phone'
            when via_channel in ('twitter', 'facebook') then 'social'
            when via_channel is not null then 'other'
        end as channel,
        case when status <> 'deleted' then subject end as subject,
        case status
            when 'new' then 'open'
            when 'hold' then 'pending'
            when 'solved' then 'resolved'
            else status
        end as status,
        priority,
        ticket_type as touchpoint,
        brand_id as product,
        assignee_id as assignee,
        group_id as team,
        organization_id as account_source_id,
        -- `["billing","vip"]`
        nullif(replace(replace(replace(replace(tags, '[', ''), ']', ''), '"', ''), ',', ';'), '') as tags,
        created_at,
        solved_at as resolved_at,
        case when status = 'closed' then updated_at end as closed_at,
        first_reply_minutes * 60 as vendor_first_response_seconds,
        resolution_minutes * 60 as vendor_resolution_seconds,
        reopens as vendor_reopens,
        replies as vendor_replies,
        -- The export tags the loser of a merge and does not name the winner.
        case when tags like '%"closed_by_merge"%' then 'unknown' end as merged_into
    from raw

)

select * from mapped
