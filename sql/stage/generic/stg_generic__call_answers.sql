-- One row per call that somebody took: an answer, whatever was said.
-- grain: source_id
-- canonical: messages
with

raw as (

    select * from raw_generic__calls

),

mapped as (

    select
        record_id,
        source_id || ':answer' as source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        source_id as conversation_source_id,
        'calls' as conversation_entity,
        'agent' as author_kind,
        agent as author,
        'out' as direction,
        true as is_public,
        'comment' as kind,
        'phone' as channel,
        answered_at as sent_at
    from raw
    where answered_at is not null and coalesce(direction, 'in') in ('in', 'inbound')

)

select * from mapped
