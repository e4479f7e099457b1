-- One row per conversation that another stands for.
-- grain: conversation_id
with

-- The label of a row sorts tickets before chats; a deleted one stands for nothing.
talks as (

    select
        conversation_id,
        source,
        source_id,
        linked_source,
        linked_source_id,
        case when coalesce(kind, 'ticket') in ('ticket', 'case') then '1:' else '2:' end
        || conversation_id as label
    from current_conversations
    where not is_test and coalesce(status, 'open') <> 'deleted'

),

paired as (

    select
        linked.conversation_id as one_id,
        linked.label as one,
        named.conversation_id as other_id,
        named.label as other
    from talks as linked
    inner join talks as named
        on linked.linked_source = named.source and linked.linked_source_id = named.source_id
    where linked.conversation_id <> named.conversation_id

),

links as (

    select
        one_id as conversation_id,
        one as label,
        other
    from paired
    union all
    select
        other_id as conversation_id,
        other as label,
        one as other
    from paired

),

best as (

    select
        conversation_id,
        label,
        min(other) as other
    from links
    group by conversation_id, label

)

select
    conversation_id,
    substr(other, 3) as counted_as
from best
where other < label
