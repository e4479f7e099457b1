-- One row per request: what happened in it, as far as no order of events is needed.
-- grain: conversation_id
with

replies as (

    select
        messages.request_id,
        min(messages.sent_at) filter (
            where messages.author_kind = 'agent' and messages.is_public
        ) as first_human_at,
        min(messages.sent_at) filter (
            where messages.author_kind = 'bot' and messages.is_public
        ) as first_bot_at,
        min(messages.sent_at) filter (where messages.author_kind = 'agent') as first_agent_at,
        count(*) filter (
            where messages.author_kind = 'agent' and messages.is_public
        ) as n_replies,
        count(*) filter (
            where messages.author_kind = 'bot' and messages.is_public
        ) as n_bot_messages
    from service_messages as messages
    inner join service_starts as starts on messages.request_id = starts.request_id
    where messages.sent_at > starts.started_at
    group by messages.request_id

),

said as (

    select
        request_id,
        count(*) filter (where author_kind = 'customer') as n_customer_messages
    from service_messages
    group by request_id

),

ends as (

    select
        request_id,
        count(*) filter (
            where
            coalesce(status, 'open') in ('open', 'pending')
            or (resolved_at is null and closed_at is null)
        ) as n_open,
        max(coalesce(resolved_at, closed_at)) as resolved_at,
        sum(vendor_replies) as vendor_replies,
        sum(vendor_reopens) as vendor_reopens,
        max(vendor_resolution_seconds) as vendor_resolution_seconds,
        count(*) as n_members,
        count(*) filter (where handled_by in ('bot', 'mixed')) as n_with_bot,
        count(*) filter (where vendor_sla_breached) as n_vendor_breached,
        count(*) filter (where vendor_sla_breached is not null) as n_vendor_sla
    from service_members
    group by request_id

),

requests as (

    select * from service_members
    where conversation_id = request_id

),

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

)

select
    requests.conversation_id,
    keys.customer_id,
    requests.source,
    requests.source_account,
    requests.source_id,
    requests.kind,
    requests.channel,
    requests.priority,
    requests.team,
    requests.assignee,
    requests.touchpoint,
    requests.product,
    requests.language,
    requests.created_at,
    requests.created_date,
    requests.created_month,
    case
        when starts.request_id is null then requests.created_at
        else starts.started_at
    end as started_at,
    coalesce(starts.is_outbound, false) as is_outbound,
    coalesce(starts.n_messages, 0) as n_messages,
    replies.first_human_at,
    replies.first_bot_at,
    replies.first_agent_at,
    coalesce(replies.n_replies, 0) as n_replies,
    coalesce(replies.n_bot_messages, 0) as n_bot_messages,
    coalesce(said.n_customer_messages, 0) as n_customer_messages,
    coalesce(ends.n_with_bot, 0) > 0 as is_with_bot,
    case when ends.n_open = 0 then ends.resolved_at end as resolved_at,
    requests.vendor_first_response_seconds,
    requests.vendor_first_bot_response_seconds,
    case
        when ends.n_members = 1 then ends.vendor_resolution_seconds
    end as vendor_resolution_seconds,
    ends.vendor_reopens,
    ends.vendor_replies,
    case when ends.n_vendor_sla > 0 then ends.n_vendor_breached > 0 end as vendor_sla_breached
from requests
inner join ends on requests.conversation_id = ends.request_id
left join service_starts as starts on requests.conversation_id = starts.request_id
left join replies on requests.conversation_id = replies.request_id
left join said on requests.conversation_id = said.request_id
left join keys on requests.identity_key = keys.identity_key
