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
    contracts.subscription_id,
    keys.customer_id,
    coalesce(former.customer_id, keys.customer_id) as customer_id_as_of,
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
left join former
    on
        contracts.identity_key = former.identity_key
        and contracts.dt >= former.valid_from
        and contracts.dt < former.valid_to
