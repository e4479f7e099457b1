-- One row per event that is no record of its own: a refund noted on an order, and what a subscription changed to
-- while it lasted, as told by its versions.
-- grain: event_id
with

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

),

refunded as (

    select
        keys.customer_id,
        coalesce(o.refunded_at, o.placed_at) as occurred_at,
        o.order_id || ':refunded' as event_id,
        'refund' as kind,
        o.status as name,
        o.source,
        o.channel,
        o.product as touchpoint,
        cast(-o.refunded as decimal(18, 4)) as amount,
        o.currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        o.order_id as reference,
        cast(null as date) as occurred_date,
        o.dt
    from current_orders as o
    left join keys on o.identity_key = keys.identity_key
    left join sale_duplicates as twice on o.order_id = twice.order_id
    where
        twice.order_id is null
        and o.placed_at is not null
        and not o.is_test
        and coalesce(o.status, 'placed') not in ('cancelled', 'voided', 'pending')
        and o.refunded > cast(0 as decimal(18, 4))
        and o.total >= cast(0 as decimal(18, 4))

),

versions as (

    select
        v.subscription_id,
        v.identity_key,
        v.source,
        v.plan,
        v.mrr,
        v.currency,
        v.dt,
        coalesce(v.source_updated_at, v.extracted_at, cast(v.dt as timestamp)) as changed_at,
        coalesce(v.status, 'active') = 'paused' as is_paused,
        row_number() over (
            partition by v.subscription_id
            order by
                v.source_updated_at asc nulls first,
                v.extracted_at asc nulls first,
                v.dt asc nulls first,
                v.object_url asc nulls first,
                v.object_version asc nulls first,
                v.record_number asc nulls first
        ) as place
    from versions_subscriptions as v
    inner join current_subscriptions as c on v.subscription_id = c.subscription_id
    where
        c.started_at is not null
        and not c.is_test
        and coalesce(c.status, 'active') <> 'incomplete'
        and not coalesce(v.is_deleted, false)
        and coalesce(v.status, 'active') <> 'incomplete'

),

changes as (

    select
        later.*,
        earlier.mrr as mrr_before,
        earlier.currency as currency_before,
        coalesce(earlier.is_paused, false) as was_paused,
        earlier.subscription_id is not null as has_before
    from versions as later
    left join versions as earlier
        on later.subscription_id = earlier.subscription_id and later.place = earlier.place + 1

),

changed as (

    select
        keys.customer_id,
        changes.changed_at as occurred_at,
        changes.subscription_id || ':v' || cast(changes.place as string) as event_id,
        case
            when changes.is_paused then 'subscription_paused'
            when changes.was_paused then 'subscription_resumed'
            else 'subscription_changed'
        end as kind,
        changes.plan as name,
        changes.source,
        cast(null as string) as channel,
        cast(null as string) as touchpoint,
        changes.mrr as amount,
        changes.currency,
        cast(null as decimal(18, 4)) as score,
        cast(null as decimal(18, 4)) as scale_max,
        changes.subscription_id as reference,
        cast(null as date) as occurred_date,
        changes.dt
    from changes
    left join keys on changes.identity_key = keys.identity_key
    where
        changes.is_paused <> changes.was_paused
        or (
            changes.has_before
            and not changes.is_paused
            and (
                coalesce(changes.mrr, cast(0 as decimal(18, 4)))
                <> coalesce(changes.mrr_before, cast(0 as decimal(18, 4)))
                or coalesce(changes.currency, '') <> coalesce(changes.currency_before, '')
            )
        )

),

all_events as (

    select * from refunded
    union all
    select * from changed

)

select * from all_events
