-- One row per subscription.
-- grain: subscription_id
with

contracts as (

    select * from current_subscriptions
    where not is_test

),

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

)

select
    contracts.subscription_id,
    keys.customer_id,
    cast(null as string) as customer_id_as_of,
    contracts.source,
    contracts.source_account,
    contracts.source_id,
    contracts.plan,
    contracts.status,
    coalesce(contracts.status, 'active') in ('active', 'past_due')
    and contracts.started_at is not null
    and contracts.started_at < run.horizon_end
    and (contracts.ended_at is null or contracts.ended_at >= run.horizon_end) as is_active,
    contracts.billing_interval,
    contracts.interval_count,
    contracts.quantity,
    contracts.amount,
    contracts.mrr,
    contracts.currency,
    contracts.started_at,
    contracts.started_date,
    contracts.trial_end_at,
    contracts.current_period_end_at,
    contracts.cancel_requested_at,
    contracts.ended_at,
    contracts.ended_date
from contracts
cross join run
left join keys on contracts.identity_key = keys.identity_key
