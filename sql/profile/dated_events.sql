-- One row per dated event of a customer's life, with the customer where one is known.
-- grain: event_id
with

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

),

contacts as (

    select
        c.identity_key,
        c.created_at as occurred_at,
        c.contact_id as event_id,
        'contact_created' as kind,
        c.lifecycle_stage as name,
        c.source,
        c.acquisition_channel as channel,
        cast(null as string) as touchpoint,
        cast(null as decimal(18, 4)) as amount,
        cast(null as string) as currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        cast(null as boolean) as is_favourable,
        cast(null as string) as reference,
        c.created_date as occurred_date,
        c.dt
    from current_contacts as c
    where c.created_at is not null and not c.is_test

),

placed as (

    select
        o.identity_key,
        o.placed_at as occurred_at,
        o.order_id as event_id,
        case when o.total < cast(0 as decimal(18, 4)) then 'refund' else 'order' end as kind,
        o.status as name,
        o.source,
        o.channel,
        o.product as touchpoint,
        o.total as amount,
        o.currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        cast(null as boolean) as is_favourable,
        o.order_id as reference,
        o.placed_date as occurred_date,
        o.dt
    from current_orders as o
    left join sale_duplicates as twice on o.order_id = twice.order_id
    where
        twice.order_id is null
        and o.placed_at is not null
        and not o.is_test
        and coalesce(o.status, 'placed') not in ('cancelled', 'voided', 'pending')

),

asked as (

    select
        s.identity_key,
        s.asked_at as occurred_at,
        s.feedback_id || ':asked' as event_id,
        'survey_asked' as kind,
        s.metric as name,
        s.source,
        s.channel,
        s.touchpoint,
        cast(null as decimal(18, 4)) as amount,
        cast(null as string) as currency,
        cast(null as decimal(18, 4)) as score,
        s.scale_max,
        cast(null as boolean) as is_favourable,
        s.feedback_id as reference,
        s.asked_date as occurred_date,
        s.dt
    from current_survey_responses as s
    where s.asked_at is not null and not s.is_test

),

answered as (

    select
        s.identity_key,
        s.answered_at as occurred_at,
        s.feedback_id as event_id,
        'survey_answered' as kind,
        s.metric as name,
        s.source,
        s.channel,
        s.touchpoint,
        cast(null as decimal(18, 4)) as amount,
        cast(null as string) as currency,
        -- Higher is better in a life: an effort-worded scale is turned round.
        case
            when coalesce(s.is_effort, false)
                then cast(s.scale_min + s.scale_max - s.score as decimal(18, 4))
            else s.score
        end as score,
        -- Net promoter questions have one scale, by definition.
        case
            when s.metric in ('nps', 'enps') then coalesce(s.scale_max, cast(10 as decimal(18, 4)))
            else s.scale_max
        end as scale_max,
        s.is_favourable,
        s.feedback_id as reference,
        s.answered_date as occurred_date,
        s.dt
    from current_survey_responses as s
    where s.answered_at is not null and s.score is not null and not s.is_test

),

opened as (

    select
        g.identity_key,
        g.created_at as occurred_at,
        g.conversation_id as event_id,
        'conversation_opened' as kind,
        g.kind as name,
        g.source,
        g.channel,
        g.touchpoint,
        cast(null as decimal(18, 4)) as amount,
        cast(null as string) as currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        cast(null as boolean) as is_favourable,
        g.conversation_id as reference,
        g.created_date as occurred_date,
        g.dt
    from current_conversations as g
    left join conversation_duplicates as twice on g.conversation_id = twice.conversation_id
    where
        twice.conversation_id is null
        and g.created_at is not null
        and not g.is_test
        and coalesce(g.status, 'open') <> 'deleted'

),

resolved as (

    select
        g.identity_key,
        g.resolved_at as occurred_at,
        g.conversation_id || ':resolved' as event_id,
        'conversation_resolved' as kind,
        g.kind as name,
        g.source,
        g.channel,
        g.touchpoint,
        cast(null as decimal(18, 4)) as amount,
        cast(null as string) as currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        cast(null as boolean) as is_favourable,
        g.conversation_id as reference,
        g.resolved_date as occurred_date,
        g.dt
    from current_conversations as g
    left join conversation_duplicates as twice on g.conversation_id = twice.conversation_id
    where
        twice.conversation_id is null
        and g.resolved_at is not null
        and not g.is_test
        and coalesce(g.status, 'open') <> 'deleted'

),

first_versions as (

    select
        subscription_id,
        plan,
        mrr,
        currency,
        row_number() over (
            partition by subscription_id
            order by
                source_updated_at asc nulls first,
                extracted_at asc nulls first,
                dt asc nulls first,
                object_url asc nulls first,
                object_version asc nulls first,
                record_number asc nulls first
        ) as place
    from versions_subscriptions
    where not coalesce(is_deleted, false) and coalesce(status, 'active') <> 'incomplete'

),

started as (

    select
        s.identity_key,
        s.started_at as occurred_at,
        s.subscription_id as event_id,
        'subscription_started' as kind,
        first_version.plan as name,
        s.source,
        cast(null as string) as channel,
        cast(null as string) as touchpoint,
        -- What it has become since then are events of their own (money_events).
        first_version.mrr as amount,
        first_version.currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        cast(null as boolean) as is_favourable,
        s.subscription_id as reference,
        s.started_date as occurred_date,
        s.dt
    from current_subscriptions as s
    inner join first_versions as first_version
        on s.subscription_id = first_version.subscription_id and first_version.place = 1
    where s.started_at is not null and not s.is_test and coalesce(s.status, 'active') <> 'incomplete'

),

ended as (

    select
        s.identity_key,
        s.ended_at as occurred_at,
        s.subscription_id || ':ended' as event_id,
        'subscription_ended' as kind,
        s.plan as name,
        s.source,
        cast(null as string) as channel,
        cast(null as string) as touchpoint,
        s.mrr as amount,
        s.currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        cast(null as boolean) as is_favourable,
        s.subscription_id as reference,
        s.ended_date as occurred_date,
        s.dt
    from current_subscriptions as s
    where s.ended_at is not null and not s.is_test and coalesce(s.status, 'active') <> 'incomplete'

),

seen as (

    select
        e.*,
        case
            when coalesce(e.is_bot, false) or coalesce(e.is_outside_session, false) then false
            else
                e.session_source_id is not null
                or coalesce(e.channel in ('web', 'app'), e.page_url is not null)
        end as is_visit,
        -- An address without a path says so by the host alone.
        case
            when e.page_url like '%://%/%'
                then
                    split_part(
                        split_part(
                            substr(
                                split_part(e.page_url, '://', 2),
                                length(split_part(split_part(e.page_url, '://', 2), '/', 1)) + 1
                            ),
                            '?', 1
                        ),
                        '#', 1
                    )
        end as url_path
    from current_events as e
    where e.occurred_at is not null and not e.is_test

),

behaved as (

    select
        e.identity_key,
        e.occurred_at,
        e.event_id,
        'event' as kind,
        e.name,
        e.source,
        e.channel,
        e.touchpoint,
        e.amount,
        e.currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        cast(null as boolean) as is_favourable,
        e.session_source_id as reference,
        e.occurred_date,
        e.dt,
        e.is_visit,
        -- What only sessions read is kept of visits only.
        case when e.is_visit then e.source_account end as source_account,
        case when e.is_visit then coalesce(e.anonymous_id, e.device_id) end as device,
        case when e.is_visit then coalesce(e.page_path, e.url_path) end as page_path,
        case when e.is_visit then e.utm_source end as utm_source,
        case when e.is_visit then e.utm_medium end as utm_medium,
        case when e.is_visit then coalesce(e.utm_campaign, e.campaign) end as utm_campaign,
        case when e.is_visit then e.engagement_ms end as engagement_ms,
        case when e.is_visit then e.is_session_engaged end as is_session_engaged
    from seen as e

),

other_events as (

    select * from contacts
    union all
    select * from placed
    union all
    select * from asked
    union all
    select * from answered
    union all
    select * from opened
    union all
    select * from resolved
    union all
    select * from started
    union all
    select * from ended

),

all_events as (

    select
        other_events.*,
        cast(null as boolean) as is_visit,
        cast(null as string) as source_account,
        cast(null as string) as device,
        cast(null as string) as page_path,
        cast(null as string) as utm_source,
        cast(null as string) as utm_medium,
        cast(null as string) as utm_campaign,
        cast(null as bigint) as engagement_ms,
        cast(null as boolean) as is_session_engaged
    from other_events
    union all
    select * from behaved

),

-- One join for all kinds: each would hold all keys.
known as (

    select
        keys.customer_id,
        all_events.*
    from all_events
    left join keys on all_events.identity_key = keys.identity_key

)

select * from known
