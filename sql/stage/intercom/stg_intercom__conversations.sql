-- One row per conversation; a deleted one is a tombstone.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_intercom__conversations

),

mapped as (

    select
        record_id,
        attributes,
        conversation_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        contact_id as customer_source_id,
        external_id,
        case when author_type in ('user', 'lead', 'contact') then author_email end as email,
        case
            when source_type = 'conversation' then 'chat'
            when source_type = 'phone_call' then 'call'
            when source_type in ('facebook', 'instagram', 'twitter', 'whatsapp') then 'social_dm'
            when source_type in ('sms', 'push') then 'chat'
            else 'ticket'
        end as kind,
        case
            when source_type = 'email' then 'email'
            when source_type = 'conversation' then 'chat'
            when source_type = 'phone_call' then 'phone'
            when source_type in ('facebook', 'instagram', 'twitter', 'whatsapp') then 'social'
            when source_type = 'sms' then 'other'
            when source_type is not null then 'other'
        end as channel,
        subject,
        case
            when is_deleted then 'deleted'
            when state = 'snoozed' then 'pending'
            else state
        end as status,
        case when priority in ('priority', 'true') then 'high' end as priority,
        admin_id as assignee,
        team_id as team,
        created_at,
        last_close_at as resolved_at,
        case when state = 'closed' then last_close_at end as closed_at,
        seconds_to_reply as vendor_first_response_seconds,
        case when linked_ticket_id is not null then 'intercom' end as linked_source,
        linked_ticket_id as linked_source_id,
        nullif(concat_ws(';', tag_1, tag_2, tag_3, tag_4, tag_5, tag_6, tag_7, tag_8), '') as tags,
        case
            when ai_state is null then null
            when first_admin_reply_at is not null then 'mixed'
            else 'bot'
        end as handled_by,
        seconds_to_close as vendor_resolution_seconds,
        reopens as vendor_reopens,
        case sla_status when 'missed' then true when 'hit' then false end as vendor_sla_breached
    from raw

)

select * from mapped
