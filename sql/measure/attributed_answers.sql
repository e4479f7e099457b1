-- One row per valid answer to a scored question, with the person who gave it, if one is known.
-- grain: feedback_id
with

responses as (

    select * from current_survey_responses
    where
        score is not null
        and answered_at is not null
        and metric in ('nps', 'enps', 'csat', 'ces', 'star')
        and score between scale_min and scale_max
        and coalesce(is_test, false) = false
        and coalesce(status, 'answered') in ('answered', 'partial')

),

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

),

people as (

    select
        customer_id,
        is_internal,
        segment as customer_segment
    from golden_customers

),

answers as (

    select
        responses.*,
        keys.customer_id,
        coalesce(keys.customer_id, responses.identity_key) as respondent,
        people.customer_segment,
        coalesce(people.is_internal, false) as is_internal
    from responses
    left join keys on responses.identity_key = keys.identity_key
    left join people on keys.customer_id = people.customer_id

)

-- Employees are asked enps; what they say of their own shop is no customer's word.
select * from answers
where metric = 'enps' or not is_internal
