-- One row per message of a request, by customer, agent or bot.
-- grain: message_id
with

messages as (

    select
        message_id,
        source,
        source_account,
        conversation_source_id,
        conversation_entity,
        coalesce(
            author_kind,
            case direction when 'in' then 'customer' when 'out' then 'agent' end
        ) as author_kind,
        coalesce(is_public, coalesce(kind, 'comment') = 'comment') as is_public,
        sent_at
    from current_messages
    where sent_at is not null and coalesce(kind, 'comment') in ('comment', 'note')

),

members as (

    select
        request_id,
        entity,
        source,
        source_account,
        source_id
    from service_members

),

requests as (

    select
        conversation_id,
        created_at
    from service_members
    where conversation_id = request_id

)

select
    messages.message_id,
    members.request_id,
    requests.created_at,
    messages.author_kind,
    messages.is_public,
    messages.sent_at
from messages
inner join members
    on
        messages.source = members.source
        and messages.source_account = members.source_account
        and messages.conversation_source_id = members.source_id
inner join requests on members.request_id = requests.conversation_id
where messages.conversation_entity is null or messages.conversation_entity = members.entity
