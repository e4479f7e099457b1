-- One row per agent who came into a chat.
-- grain: source_id
-- canonical: conversation_changes
with

raw as (

    select * from raw_zendesk_chat__chats__history

),

mapped as (

    select
        record_id,
        chat_id || ':' || cast(place as string) as source_id,
        chat_id as conversation_source_id,
        'assigned' as kind,
        nullif(split_part(nick, 'agent:', 2), '') as value_text,
        'agent' as author_kind,
        sent_at as changed_at
    from raw
    where entry_type = 'chat.memberjoin' and nick like 'agent:%' and nick <> 'agent:trigger'

)

select * from mapped
