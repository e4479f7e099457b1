-- One row per subscription; its items are added up to a monthly amount.
-- grain: source_id
-- canonical: subscriptions
with

raw as (

    select * from raw_stripe__subscriptions

),

priced as (

    select
        *,
        coalesce(quantity, 1) as seats,
        cast(amount as double)
        * cast(coalesce(quantity, 1) as double)
        / cast(coalesce(interval_count, 1) as double)
        * case billing_interval
            when 'month' then cast(1 as double)
            when 'year' then cast(1 as double) / cast(12 as double)
            when 'week' then cast(365 as double) / cast(84 as double)
            when 'day' then cast(365 as double) / cast(12 as double)
        end as monthly
    from raw

),

gathered as (

    select
        record_id,
        max(attributes) as attributes,
        max(subscription_id) as subscription_id,
        max(customer_id) as customer_id,
        max(email) as email,
        max(phone) as phone,
        max(external_id) as external_id,
        max(status) as status,
        min(is_live) as is_live,
        max(is_deleted) as is_deleted,
        -- The first item names the plan.
        max(case when coalesce(item_index, 1) = 1 then price_id end) as price_id,
        max(case when coalesce(item_index, 1) = 1 then amount end) as amount,
        max(case when coalesce(item_index, 1) = 1 then seats end) as seats,
        max(case when coalesce(item_index, 1) = 1 then billing_interval end) as billing_interval,
        max(case when coalesce(item_index, 1) = 1 then interval_count end) as interval_count,
        max(currency) as currency,
        sum(cast(monthly as decimal(18, 4))) as mrr,
        max(started_at) as started_at,
        max(trial_end_at) as trial_end_at,
        max(current_period_end_at) as current_period_end_at,
        max(cancel_requested_at) as cancel_requested_at,
        max(ended_at) as ended_at,
        max(updated_at) as updated_at,
        max(extracted_at) as extracted_at
    from priced
    group by record_id

),

mapped as (

    select
        record_id,
        attributes,
        subscription_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        not coalesce(is_live, true) as is_test,
        customer_id as customer_source_id,
        email,
        phone,
        external_id,
        price_id as plan,
        case status
            when 'canceled' then 'cancelled'
            when 'incomplete_expired' then 'incomplete'
            else status
        end as status,
        billing_interval,
        interval_count,
        seats as quantity,
        amount,
        cast(mrr as decimal(18, 4)) as mrr,
        upper(currency) as currency,
        started_at,
        trial_end_at,
        current_period_end_at,
        cancel_requested_at,
        ended_at
    from gathered

)

select * from mapped
