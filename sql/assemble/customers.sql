-- One row per resolved person: who they are, what they did, what they are worth.
-- grain: customer_id
with

people as (

    select * from golden_customers

),

-- Money of other currencies counts at the rate of its day.
rates as (

    select * from fx_daily

),

counted_orders as (

    select
        orders.customer_id,
        orders.placed_at,
        orders.placed_date,
        case
            when coalesce(orders.currency, run.currency) = run.currency then orders.net_total
            else try_cast(cast(orders.net_total as double) * rates.rate as decimal(18, 4))
        end as net_home,
        orders.is_refund,
        coalesce(orders.currency, run.currency) = run.currency or rates.rate is not null as is_home
    from orders
    cross join run
    left join rates on orders.currency = rates.currency and orders.placed_date = rates.rate_date
    where
        orders.customer_id is not null
        and orders.is_counted
        and orders.placed_at < run.horizon_end

),

bought as (

    select
        customer_id,
        count(*) filter (where not is_refund) as n_orders,
        count(*) filter (where not is_refund and not is_home) as n_orders_other_currency,
        sum(net_home) filter (where is_home) as revenue,
        min(placed_at) filter (where not is_refund) as first_order_at,
        max(placed_at) filter (where not is_refund) as last_order_at,
        min(placed_date) filter (where not is_refund) as first_order_date
    from counted_orders
    group by customer_id

),

subscribed as (

    select
        subscriptions.customer_id,
        count(*) filter (where subscriptions.is_active) as n_active_subscriptions,
        sum(
            case
                when coalesce(subscriptions.currency, run.currency) = run.currency
                    then subscriptions.mrr
                else try_cast(
                    cast(subscriptions.mrr as double) * rates.rate as decimal(18, 4)
                )
            end
        ) filter (where subscriptions.is_active) as mrr,
        min(subscriptions.started_date) as first_started_date
    from subscriptions
    cross join run
    left join rates
        on
            subscriptions.currency = rates.currency
            and subscriptions.started_date = rates.rate_date
    where
        subscriptions.customer_id is not null
        and subscriptions.started_at < run.horizon_end
        and coalesce(subscriptions.status, 'active') <> 'incomplete'
    group by subscriptions.customer_id

),

answers as (

    select
        feedback.customer_id,
        feedback.metric,
        feedback.score,
        feedback.score_norm,
        feedback.bucket,
        feedback.answered_at,
        row_number() over (
            partition by feedback.customer_id, feedback.metric
            order by feedback.answered_at desc nulls last, feedback.feedback_id asc nulls last
        ) as place
    from feedback
    cross join run
    where
        feedback.customer_id is not null
        and feedback.score is not null
        and feedback.answered_at < run.horizon_end

),

answered as (

    select
        customer_id,
        count(*) as n_responses,
        max(score) filter (where metric = 'nps' and place = 1) as last_nps_score,
        max(bucket) filter (where metric = 'nps' and place = 1) as last_nps_bucket,
        max(answered_at) filter (where metric = 'nps' and place = 1) as last_nps_at,
        max(score) filter (where metric = 'csat' and place = 1) as last_csat_score,
        max(score_norm) filter (where metric = 'csat' and place = 1) as last_csat_norm,
        max(answered_at) filter (where metric = 'csat' and place = 1) as last_csat_at,
        max(score) filter (where metric = 'ces' and place = 1) as last_ces_score,
        max(score_norm) filter (where metric = 'ces' and place = 1) as last_ces_norm,
        max(answered_at) filter (where metric = 'ces' and place = 1) as last_ces_at
    from answers
    group by customer_id

),

talked as (

    select
        conversations.customer_id,
        count(*) as n_conversations,
        count(*) filter (where conversations.is_open) as n_open_conversations,
        max(conversations.created_at) as last_conversation_at
    from conversations
    cross join run
    where
        conversations.customer_id is not null
        and conversations.is_counted
        and conversations.created_at < run.horizon_end
    group by conversations.customer_id

),

valued as (

    select
        customer_lifetime_value.customer_id,
        customer_lifetime_value.p_alive,
        customer_lifetime_value.clv_probabilistic,
        customer_lifetime_value.tier
    from customer_lifetime_value
    cross join run
    where customer_lifetime_value.as_of = run.as_of

)

select
    people.customer_id,
    people.display_name,
    people.first_name,
    people.last_name,
    people.email as primary_email,
    people.phone as primary_phone,
    people.company_name,
    people.country,
    people.language,
    people.city,
    people.postal_code,
    people.lifecycle_stage,
    people.segment,
    people.acquisition_channel,
    people.is_internal,
    people.is_anonymous,
    coalesce(bought.n_orders, 0) > 0 or subscribed.customer_id is not null as is_customer,
    people.first_seen_date,
    people.last_seen_date,
    least(
        coalesce(bought.first_order_date, subscribed.first_started_date),
        coalesce(subscribed.first_started_date, bought.first_order_date)
    ) as customer_since,
    cast(null as string) as journey_stage,
    cast(null as bigint) as rfm_recency,
    cast(null as bigint) as rfm_frequency,
    cast(null as bigint) as rfm_monetary,
    cast(null as string) as rfm_segment,
    coalesce(bought.n_orders, 0) as n_orders,
    cast(coalesce(bought.revenue, 0) as decimal(18, 4)) as revenue,
    coalesce(bought.n_orders_other_currency, 0) as n_orders_other_currency,
    bought.first_order_at,
    bought.last_order_at,
    coalesce(subscribed.n_active_subscriptions, 0) as n_active_subscriptions,
    cast(coalesce(subscribed.mrr, 0) as decimal(18, 4)) as mrr,
    coalesce(answered.n_responses, 0) as n_responses,
    answered.last_nps_score,
    answered.last_nps_bucket,
    answered.last_nps_at,
    answered.last_csat_score,
    answered.last_csat_norm,
    answered.last_csat_at,
    answered.last_ces_score,
    answered.last_ces_norm,
    answered.last_ces_at,
    coalesce(talked.n_conversations, 0) as n_conversations,
    coalesce(talked.n_open_conversations, 0) as n_open_conversations,
    talked.last_conversation_at,
    people.email_consent,
    people.email_consent_at,
    coalesce(people.email_consent = 'granted', false) as has_email_consent,
    valued.p_alive,
    valued.clv_probabilistic as clv,
    valued.tier as clv_tier,
    cast(null as double) as churn_risk,
    people.n_identifiers,
    people.n_records,
    people.sources
from people
left join bought on people.customer_id = bought.customer_id
left join subscribed on people.customer_id = subscribed.customer_id
left join answered on people.customer_id = answered.customer_id
left join talked on people.customer_id = talked.customer_id
left join valued on people.customer_id = valued.customer_id
