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
        orders.placed_date > run.year_before as is_last_year,
        orders.is_refund
        or coalesce(orders.refunded, cast(0 as decimal(18, 4))) > cast(0 as decimal(18, 4))
            as is_given_back,
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
        count(*) filter (where not is_refund and is_last_year) as n_orders_365d,
        count(*) filter (where is_given_back) as n_refunds,
        sum(net_home) filter (where is_home) as revenue,
        sum(net_home) filter (where is_home and is_last_year) as revenue_365d,
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

asked as (

    select
        feedback.customer_id,
        count(*) as n_questions_asked,
        count(*) filter (where feedback.score is not null) as n_questions_answered,
        max(feedback.asked_at) as last_asked_at
    from feedback
    cross join run
    where
        feedback.customer_id is not null
        and feedback.asked_at < run.horizon_end
    group by feedback.customer_id

),

-- What was sent to people, and what they did with it.
written_to as (

    select
        keys.customer_id,
        count(*) filter (where touches.action = 'sent') as n_messages_sent,
        count(*) filter (where touches.action = 'opened') as n_messages_opened,
        count(*) filter (where touches.action in ('clicked', 'replied')) as n_messages_answered,
        max(touches.occurred_at) filter (where touches.action = 'sent') as last_message_at
    from current_campaign_touches as touches
    inner join identity_keys as keys on touches.identity_key = keys.identity_key
    where not touches.is_test and not coalesce(touches.is_bot, false)
    group by keys.customer_id

),

met as (

    select
        interactions.customer_id,
        count(*) as n_interactions,
        count(*) filter (where interactions.occurred_date > run.quarter_before)
            as n_interactions_90d,
        max(interactions.occurred_at) filter (where interactions.direction = 'in')
            as last_active_at
    from interactions
    cross join run
    where
        interactions.customer_id is not null
        and interactions.occurred_at < run.horizon_end
    group by interactions.customer_id

),

allowed as (

    select
        customer_id,
        max(consent_state) filter (where purpose = 'email_marketing') as email_consent,
        max(effective_at) filter (where purpose = 'email_marketing') as email_consent_at,
        count(*) filter (where purpose = 'sms' and is_granted) as n_sms
    from customer_consents
    where
        (purpose = 'email_marketing' and channel = 'email')
        or (purpose = 'sms' and channel = 'sms')
    group by customer_id

),

staged as (

    select
        customer_id,
        max(stage) as stage
    from journey_stage_history
    where is_current
    group by customer_id

),

-- The company that a source calls the main one, else the one that came last.
companies as (

    select
        members.customer_id,
        members.account_id,
        row_number() over (
            partition by members.customer_id
            order by
                members.is_primary desc nulls last,
                members.valid_from desc nulls last,
                members.account_id asc nulls last
        ) as place
    from account_members as members
    inner join accounts on members.account_id = accounts.account_id
    where members.is_current and accounts.account_kind = 'company'

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

),

segmented as (

    select
        customer_segments.customer_id,
        customer_segments.rfm_recency,
        customer_segments.rfm_frequency,
        customer_segments.rfm_monetary,
        customer_segments.rfm_segment,
        customer_segments.persona,
        customer_segments.persona_name
    from customer_segments
    cross join run
    where customer_segments.as_of = run.as_of

),

at_risk as (

    select
        churn_risk.customer_id,
        churn_risk.churn_risk,
        churn_risk.risk_decile
    from churn_risk
    cross join run
    where churn_risk.as_of = run.as_of

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
    staged.stage as journey_stage,
    segmented.rfm_recency,
    segmented.rfm_frequency,
    segmented.rfm_monetary,
    segmented.rfm_segment,
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
    allowed.email_consent,
    allowed.email_consent_at,
    coalesce(allowed.email_consent = 'granted', false) as has_email_consent,
    valued.p_alive,
    valued.clv_probabilistic as clv,
    valued.tier as clv_tier,
    at_risk.churn_risk,
    people.n_identifiers,
    people.n_records,
    people.sources,
    companies.account_id,
    people.region,
    try_cast(people.birth_date as date) as birth_date,
    people.gender,
    people.job_title,
    people.plan as source_plan,
    people.loyalty_tier,
    people.is_email_verified = 'true' as is_email_verified,
    case
        when bought.n_orders > 0
            then try_cast(
                cast(coalesce(bought.revenue, 0) as double) / cast(bought.n_orders as double)
                as decimal(18, 4)
            )
    end as average_order_value,
    coalesce(bought.n_orders_365d, 0) as n_orders_365d,
    cast(coalesce(bought.revenue_365d, 0) as decimal(18, 4)) as revenue_365d,
    coalesce(bought.n_refunds, 0) as n_refunds,
    coalesce(met.n_interactions, 0) as n_interactions,
    coalesce(met.n_interactions_90d, 0) as n_interactions_90d,
    met.last_active_at,
    coalesce(written_to.n_messages_sent, 0) as n_messages_sent,
    coalesce(written_to.n_messages_opened, 0) as n_messages_opened,
    coalesce(written_to.n_messages_answered, 0) as n_messages_answered,
    written_to.last_message_at,
    coalesce(asked.n_questions_asked, 0) as n_questions_asked,
    coalesce(asked.n_questions_answered, 0) as n_questions_answered,
    asked.last_asked_at,
    coalesce(allowed.n_sms, 0) > 0 as has_sms_consent,
    segmented.persona,
    segmented.persona_name,
    at_risk.risk_decile
from people
left join bought on people.customer_id = bought.customer_id
left join subscribed on people.customer_id = subscribed.customer_id
left join answered on people.customer_id = answered.customer_id
left join talked on people.customer_id = talked.customer_id
left join valued on people.customer_id = valued.customer_id
left join segmented on people.customer_id = segmented.customer_id
left join at_risk on people.customer_id = at_risk.customer_id
left join asked on people.customer_id = asked.customer_id
left join written_to on people.customer_id = written_to.customer_id
left join met on people.customer_id = met.customer_id
left join allowed on people.customer_id = allowed.customer_id
left join staged on people.customer_id = staged.customer_id
left join companies on people.customer_id = companies.customer_id and companies.place = 1
