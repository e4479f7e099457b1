-- One row per rule that may bring a customer into a journey stage by an event.
--
-- A rule looks at one event only. What it needs of the life so far it says: min_purchases orders or subscriptions
-- started by then, this event among them. Of the rules of one instant the one of the least rule_rank counts whose
-- need is met. A rule moves a customer forward, and back by steps_back stages at most: an order ends service, not
-- loyalty. Out of `lapsed` any rule leads; `lapsed` itself is entered after metrics.inactive_days of silence.
-- The CRM's lifecycle stage is dated by the creation of its record. Raise rule_version when a rule changes.
-- grain: customer_id, occurred_at, stage_rule
with

events as (

    select
        customer_id,
        occurred_at,
        kind,
        name,
        score,
        scale_max
    from timeline

),

of_buyers as (

    select
        customer_id,
        occurred_at,
        case
            when kind = 'order' then 'loyal_orders'
            when kind = 'survey_answered' then
                case
                    when
                        name = 'nps'
                        and scale_max = cast(10 as decimal(18, 4))
                        and score >= cast(9 as decimal(18, 4))
                        then 'promoter'
                    else 'feedback'
                end
            when kind in ('conversation_opened', 'conversation_resolved') then 'service'
            when kind = 'event' then
                case
                    when name in ('referral_sent', 'review_posted') then 'advocacy'
                    when name in ('feature_used', 'login', 'onboarding_completed', 'order_delivered') then 'usage'
                end
        end as stage_rule
    from events

),

of_anybody as (

    select
        customer_id,
        occurred_at,
        case
            when kind = 'order' then 'order'
            when kind = 'subscription_started' then 'subscription'
            when kind = 'conversation_opened' then 'enquiry'
            when kind = 'contact_created' then
                case
                    when name in ('marketingqualifiedlead', 'salesqualifiedlead', 'opportunity') then 'qualified_lead'
                    else 'contact'
                end
            when kind = 'event' then
                case
                    when
                        name in (
                            'product_view', 'view_item', 'add_to_cart', 'checkout_started',
                            'begin_checkout', 'trial_started', 'quote_requested', 'signup', 'sign_up'
                        )
                        then 'shopping'
                    when
                        name in ('page_view', 'session_start', 'newsletter_clicked', 'email_clicked', 'ad_clicked')
                        then 'visit'
                end
        end as stage_rule
    from events

),

ranked as (

    select
        of_buyers.customer_id,
        of_buyers.occurred_at,
        of_buyers.stage_rule,
        cast(1 as bigint) as rule_rank,
        case when of_buyers.stage_rule = 'loyal_orders' then run.loyal_orders else cast(1 as bigint) end
            as min_purchases
    from of_buyers
    cross join run
    where of_buyers.stage_rule is not null
    union all
    select
        customer_id,
        occurred_at,
        stage_rule,
        cast(2 as bigint) as rule_rank,
        cast(0 as bigint) as min_purchases
    from of_anybody
    where stage_rule is not null

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
    rule_rank,
    cast(1 as bigint) as rule_version,
    min_purchases,
    case when stage_rule = 'order' then cast(1 as bigint) else cast(0 as bigint) end as steps_back
from ranked
