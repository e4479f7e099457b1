-- One row per first answer by a human.
-- grain: source_id
-- canonical: conversation_changes
with

raw as (

    select * from raw_heyday__conversations

),

mapped as (

    select
        record_id,
        conversation_id || ':first_reply' as source_id,
        conversation_id as conversation_source_id,
        'first_reply' as kind,
        assignee as value_text,
        'agent' as author_kind,
        first_reply_at as changed_at
    from raw
    where first_reply_at is not null

)

select * from mapped
