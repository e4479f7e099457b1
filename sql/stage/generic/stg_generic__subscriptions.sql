-- One row per subscription.
-- grain: source_id
-- canonical: subscriptions
with

raw as (

    select * from raw_generic__subscriptions

),

priced as (

    select
        *,
        cast(amount as double)
        * cast(coalesce(quantity, 1) as double)
        / cast(coalesce(interval_count, 1) as double)
        * case coalesce(billing_interval, 'month')
            when 'month' then cast(1 as double)
            when 'year' then cast(1 as double) / cast(12 as double)
            when 'week' then cast(365 as double) / cast(84 as double)
            when 'day' then cast(365 as double) / cast(12 as double)
        end as monthly
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        plan,
        coalesce(status, case when ended_at is null then 'active' else 'cancelled' end) as status,
        billing_interval,
        interval_count,
        quantity,
        amount,
        coalesce(mrr, cast(monthly as decimal(18, 4))) as mrr,
        upper(coalesce(currency, default_currency)) as currency,
        started_at,
        trial_end_at,
        current_period_end_at,
        cancel_requested_at,
        ended_at,
        account_source_id,
        is_cancel_requested,
        churn_reason,
        discount
    from priced

)

select * from mapped
