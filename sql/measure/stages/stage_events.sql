-- One row per event that brings a customer into a journey stage; of the rules that fit an event the first counts.
--
-- Asked of one bucket of customers at a time: every customer is whole, so windows over one customer are right.
-- A rule with may_reverse may bring a customer back from a later stage; without it it only moves them forward,
-- or back out of `lapsed`, which needs no rule: it is entered after metrics.inactive_days of silence.
-- The CRM's lifecycle stage is dated by the creation of its record. Raise rule_version when a rule changes.
-- grain: customer_id, occurred_at, stage_rule
with

events as (

    select
        customer_id,
        occurred_at,
        event_id,
        kind,
        name,
        score,
        scale_max
    from timeline
    where kind not in ('refund', 'survey_asked')

),

numbered_orders as (

    select
        event_id,
        row_number() over (
            partition by customer_id
            order by occurred_at asc nulls first, event_id asc nulls first
            rows between unbounded preceding and current row
        ) as order_number
    from events
    where kind = 'order'

),

buyers as (

    select
        customer_id,
        min(occurred_at) as bought_at
    from events
    where kind in ('order', 'subscription_started')
    group by customer_id

),

known as (

    select
        events.customer_id,
        events.occurred_at,
        events.kind,
        events.name,
        events.score,
        events.scale_max,
        coalesce(numbered_orders.order_number, 0) >= run.loyal_orders as is_loyal_order,
        coalesce(events.occurred_at >= buyers.bought_at, false) as has_bought
    from events
    cross join run
    left join buyers on events.customer_id = buyers.customer_id
    left join numbered_orders on events.event_id = numbered_orders.event_id

),

ruled as (

    select
        customer_id,
        occurred_at,
        case
            when kind = 'order' and is_loyal_order then 'loyal_orders'
            when kind = 'survey_answered' and name = 'nps' and has_bought
                and scale_max = cast(10 as decimal(18, 4))
                and score >= cast(9 as decimal(18, 4))
                then 'promoter'
            when kind = 'event' and has_bought
                and name in ('referral_sent', 'review_posted')
                then 'advocacy'
            when kind = 'order' then 'order'
            when kind = 'subscription_started' then 'subscription'
            when kind in ('conversation_opened', 'conversation_resolved') and has_bought
                then 'service'
            when kind = 'survey_answered' and has_bought then 'feedback'
            when kind = 'event' and has_bought
                and name in ('feature_used', 'login', 'onboarding_completed', 'order_delivered')
                then 'usage'
            when kind = 'event'
                and name in (
                    'product_view', 'view_item', 'add_to_cart', 'checkout_started',
                    'begin_checkout', 'trial_started', 'quote_requested', 'signup', 'sign_up'
                )
                then 'shopping'
            when kind = 'conversation_opened' then 'enquiry'
            when kind = 'contact_created'
                and name in ('marketingqualifiedlead', 'salesqualifiedlead', 'opportunity')
                then 'qualified_lead'
            when kind = 'contact_created' then 'contact'
            when kind = 'event'
                and name in ('page_view', 'session_start', 'newsletter_clicked', 'email_clicked', 'ad_clicked')
                then 'visit'
        end as stage_rule
    from known

)

select
    customer_id,
    occurred_at,
    case
        when stage_rule in ('loyal_orders', 'promoter', 'advocacy') then 'loyalty'
        when stage_rule in ('order', 'subscription') then 'purchase'
        when stage_rule in ('service', 'feedback', 'usage') then 'post_purchase'
        when stage_rule in ('shopping', 'enquiry', 'qualified_lead') then 'evaluation'
        else 'awareness'
    end as stage,
    stage_rule,
    cast(1 as bigint) as rule_version,
    stage_rule = 'order' as may_reverse
from ruled
where stage_rule is not null
