-- One row per conversation; one that the bot closed had no human in it.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_heyday__conversations

),

mapped as (

    select
        record_id,
        attributes,
        conversation_id as source_id,
        -- A visitor of the web site is a browser session, whoever it turns out to be.
        case when lower(channel) <> 'web' then customer_id end as customer_source_id,
        case when lower(channel) = 'web' then customer_id end as anonymous_id,
        email,
        phone,
        case
            when lower(handled_by) = 'bot' then 'bot'
            when lower(channel) in ('messenger', 'instagram') then 'social_dm'
            else 'chat'
        end as kind,
        case
            when lower(channel) in ('messenger', 'instagram') then 'social'
            when lower(channel) in ('email', 'phone') then lower(channel)
            else 'chat'
        end as channel,
        case when lower(status) = 'closed' then 'closed' else 'open' end as status,
        flow as touchpoint,
        assignee,
        department as team,
        created_at,
        case when lower(status) = 'closed' then closed_at end as resolved_at,
        closed_at,
        lower(substr(language, 1, 2)) as language,
        case lower(handled_by) when 'agent' then 'human' else lower(handled_by) end as handled_by
    from raw

)

select * from mapped
