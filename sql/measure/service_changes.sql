-- One row per dated change of a request.
-- grain: conversation_change_id
with

changes as (

    select * from current_conversation_changes
    where changed_at is not null

),

members as (

    select
        request_id,
        entity,
        source,
        source_account,
        source_id
    from service_members

)

select
    changes.conversation_change_id,
    members.request_id,
    changes.kind,
    changes.metric,
    changes.target_seconds,
    coalesce(changes.is_business_time, false) as is_business_time,
    changes.value_text,
    changes.author_kind,
    changes.changed_at
from changes
inner join members
    on
        changes.source = members.source
        and changes.source_account = members.source_account
        and changes.conversation_source_id = members.source_id
where changes.conversation_entity is null or changes.conversation_entity = members.entity
