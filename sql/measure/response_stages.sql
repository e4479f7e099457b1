-- One row per response that was answered while its customer was in a stage of the journey.
-- grain: feedback_id
with

responses as (

    select
        responses.feedback_id,
        responses.answered_at,
        keys.customer_id
    from current_survey_responses as responses
    inner join identity_keys as keys on responses.identity_key = keys.identity_key
    where responses.answered_at is not null

),

stages as (

    select
        customer_id,
        stage,
        entered_at,
        left_at
    from journey_stage_history

)

select
    responses.feedback_id,
    min(stages.stage) as journey_stage
from responses
inner join stages on responses.customer_id = stages.customer_id
where
    responses.answered_at >= stages.entered_at
    and (stages.left_at is null or responses.answered_at < stages.left_at)
group by responses.feedback_id
