-- One row per ticket, chat or case.
-- grain: conversation_id
with

conversations as (

    select * from current_conversations
    where not is_test

),

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

),

former as (

    select
        identity_key,
        valid_from,
        valid_to,
        customer_id
    from identity_former

)

select
    conversations.conversation_id,
    keys.customer_id,
    coalesce(former.customer_id, keys.customer_id) as customer_id_as_of,
    conversations.source,
    conversations.source_account,
    conversations.source_id,
    conversations.kind,
    conversations.channel,
    conversations.subject,
    conversations.status,
    coalesce(conversations.status, 'open') in ('open', 'pending')
    and conversations.merged_into is null as is_open,
    conversations.priority,
    conversations.touchpoint,
    conversations.product,
    conversations.assignee,
    conversations.team,
    conversations.created_at,
    conversations.created_date,
    conversations.resolved_at,
    conversations.closed_at,
    conversations.vendor_first_response_seconds,
    conversations.merged_into,
    conversations.linked_source,
    conversations.linked_source_id,
    twice.conversation_id is null
    and conversations.merged_into is null
    and coalesce(conversations.status, 'open') <> 'deleted' as is_counted,
    coalesce(twice.counted_as, conversations.conversation_id) as counted_as,
    coalesce(conversations.created_month, date '1970-01-01') as month
from conversations
left join keys on conversations.identity_key = keys.identity_key
left join former
    on
        conversations.identity_key = former.identity_key
        and conversations.dt >= former.valid_from
        and conversations.dt < former.valid_to
left join conversation_duplicates as twice
    on conversations.conversation_id = twice.conversation_id
