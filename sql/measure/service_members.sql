-- One row per conversation that is somebody's request, with the conversation it counts as.
-- A chat and the ticket it became are one request, which began when the earlier of the two did.
-- grain: conversation_id
with

requests as (

    select * from current_conversations
    where
        created_at is not null
        and merged_into is null
        and not is_test
        and coalesce(is_internal, false) = false
        and coalesce(status, 'open') <> 'deleted'

),

pairs as (

    select
        one.conversation_id as one_id,
        one.created_at as one_at,
        other.conversation_id as other_id,
        other.created_at as other_at
    from requests as one
    inner join requests as other
        on one.linked_source = other.source and one.linked_source_id = other.source_id
    where
        one.conversation_id <> other.conversation_id
        and (one.source <> other.source or one.source_account = other.source_account)

),

later as (

    select
        case
            when one_at < other_at or (one_at = other_at and one_id < other_id) then other_id
            else one_id
        end as conversation_id,
        case
            when one_at < other_at or (one_at = other_at and one_id < other_id) then one_id
            else other_id
        end as request_id
    from pairs

),

roots as (

    select
        conversation_id,
        min(request_id) as request_id
    from later
    group by conversation_id

)

select
    requests.conversation_id,
    requests.source,
    requests.source_account,
    requests.source_id,
    requests.entity,
    requests.identity_key,
    requests.kind,
    requests.channel,
    requests.priority,
    requests.team,
    requests.assignee,
    requests.touchpoint,
    requests.product,
    requests.language,
    requests.status,
    requests.handled_by,
    requests.created_at,
    requests.created_date,
    requests.created_month,
    requests.resolved_at,
    requests.closed_at,
    requests.vendor_first_response_seconds,
    requests.vendor_first_bot_response_seconds,
    requests.vendor_resolution_seconds,
    requests.vendor_reopens,
    requests.vendor_replies,
    requests.vendor_sla_breached,
    coalesce(roots.request_id, requests.conversation_id) as request_id
from requests
left join roots on requests.conversation_id = roots.conversation_id
