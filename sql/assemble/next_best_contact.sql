-- One row per named person: whether, by which channel, from when and about what to get in touch.
-- grain: customer_id
with

people as (

    select * from customers
    where not is_internal and not is_anonymous

),

allowed as (

    select
        customer_id,
        count(*) filter (
            where purpose = 'email_marketing' and channel = 'email' and is_granted
        ) > 0 as is_email_allowed,
        count(*) filter (
            where purpose = 'sms' and channel = 'sms' and is_granted
        ) > 0 as is_sms_allowed,
        count(*) filter (
            where purpose = 'phone' and channel = 'phone' and is_granted
        ) > 0 as is_phone_allowed,
        count(*) filter (
            where purpose = 'survey' and not is_granted
        ) > 0 as is_survey_refused
    from customer_consents
    group by customer_id

),

-- Questions of one survey are asked at one moment.
asked as (

    select
        feedback.customer_id,
        count(distinct feedback.asked_at) as n_asked_90d,
        max(cast(feedback.asked_at as date)) as last_asked_date
    from feedback
    cross join run
    where
        feedback.customer_id is not null
        and feedback.asked_at < run.horizon_end
        and cast(feedback.asked_at as date) > run.quarter_before
    group by feedback.customer_id

),

sent as (

    select
        keys.customer_id,
        count(*) as n_messages_90d,
        max(cast(touches.occurred_at as date)) as last_message_date
    from current_campaign_touches as touches
    inner join identity_keys as keys on touches.identity_key = keys.identity_key
    cross join run
    where
        touches.action = 'sent'
        and not touches.is_test
        and touches.occurred_at < run.horizon_end
        and cast(touches.occurred_at as date) > run.quarter_before
    group by keys.customer_id

),

-- Newest by the second, then by the words: one pass, and no order within a person.
touched as (

    select
        interactions.customer_id,
        max(
            substr(cast(interactions.occurred_at as string), 1, 19)
            || '|' || interactions.direction
            || '|' || interactions.kind
            || '|' || coalesce(interactions.channel, '(none)')
        ) as last_touch,
        max(
            substr(cast(interactions.occurred_at as string), 1, 19)
            || '|' || coalesce(interactions.channel, '(none)')
        ) filter (where interactions.direction = 'in') as last_own_touch,
        max(interactions.occurred_at) as last_touch_at
    from interactions
    cross join run
    where
        interactions.customer_id is not null
        and interactions.occurred_at < run.horizon_end
    group by interactions.customer_id

),

at_risk as (

    select
        churn_risk.customer_id,
        churn_risk.churn_risk,
        churn_risk.risk_decile,
        churn_risk.reason_1
    from churn_risk
    cross join run
    where churn_risk.as_of = run.as_of

),

known as (

    select
        people.customer_id,
        people.journey_stage,
        people.last_nps_bucket,
        people.n_open_conversations,
        coalesce(allowed.is_email_allowed, false) and people.primary_email is not null
            as is_email_allowed,
        coalesce(allowed.is_sms_allowed, false) and people.primary_phone is not null
            as is_sms_allowed,
        coalesce(allowed.is_phone_allowed, false) and people.primary_phone is not null
            as is_phone_allowed,
        coalesce(allowed.is_survey_refused, false) as is_survey_refused,
        coalesce(asked.n_asked_90d, 0) as n_asked_90d,
        coalesce(sent.n_messages_90d, 0) as n_messages_90d,
        greatest(
            coalesce(asked.last_asked_date, sent.last_message_date),
            coalesce(sent.last_message_date, asked.last_asked_date)
        ) as last_contact_date,
        touched.last_touch_at,
        split_part(touched.last_touch, '|', 2) as last_touch_direction,
        split_part(touched.last_touch, '|', 3) as last_touch_kind,
        split_part(touched.last_touch, '|', 4) as last_touch_channel,
        split_part(touched.last_own_touch, '|', 2) as own_channel,
        at_risk.churn_risk,
        at_risk.risk_decile,
        at_risk.reason_1 as risk_reason,
        run.as_of
    from people
    cross join run
    left join allowed on people.customer_id = allowed.customer_id
    left join asked on people.customer_id = asked.customer_id
    left join sent on people.customer_id = sent.customer_id
    left join touched on people.customer_id = touched.customer_id
    left join at_risk on people.customer_id = at_risk.customer_id

),

judged as (

    select
        known.*,
        known.is_email_allowed or known.is_sms_allowed or known.is_phone_allowed as is_allowed,
        known.n_asked_90d >= 3 or known.n_messages_90d >= 12 as is_fatigued,
        case
            when known.is_email_allowed and known.own_channel = 'email' then 'email'
            when known.is_sms_allowed and known.own_channel = 'sms' then 'sms'
            when known.is_phone_allowed and known.own_channel = 'phone' then 'phone'
            when known.is_email_allowed then 'email'
            when known.is_sms_allowed then 'sms'
            when known.is_phone_allowed then 'phone'
        end as best_channel
    from known

)

select
    judged.customer_id,
    'next_best_contact' as definition_id,
    cast(1 as bigint) as definition_version,
    case
        when judged.n_open_conversations > 0 then 'answer_conversation'
        when not judged.is_allowed then 'no_contact'
        when judged.is_fatigued then 'rest'
        when judged.last_nps_bucket = 'detractor' then 'follow_up_feedback'
        when judged.risk_decile = 1 then 'retain'
        when judged.journey_stage = 'lapsed' then 'win_back'
        when judged.journey_stage = 'loyalty' and judged.last_nps_bucket = 'promoter'
            then 'ask_for_referral'
        when judged.journey_stage in ('awareness', 'evaluation') then 'help_to_decide'
        else 'stay_in_touch'
    end as next_action,
    case when judged.n_open_conversations = 0 then judged.best_channel end as contact_channel,
    case
        when judged.n_open_conversations > 0 or not judged.is_allowed then cast(null as date)
        when judged.is_fatigued
            then greatest(
                cast(judged.as_of + interval '1' day as date),
                cast(judged.last_contact_date + interval '30' day as date)
            )
        else cast(judged.as_of + interval '1' day as date)
    end as contact_from,
    judged.is_email_allowed,
    judged.is_sms_allowed,
    judged.is_phone_allowed,
    judged.is_survey_refused,
    judged.is_fatigued,
    judged.n_asked_90d,
    judged.n_messages_90d,
    judged.last_contact_date,
    judged.last_touch_at,
    judged.last_touch_kind,
    judged.last_touch_channel,
    judged.last_touch_direction,
    judged.journey_stage,
    judged.n_open_conversations,
    judged.last_nps_bucket,
    judged.churn_risk,
    judged.risk_reason
from judged
