-- One row per answer that counts towards a score: valid, of a customer, and not replaced by a later one.
-- grain: feedback_id
with

answers as (

    select * from attributed_answers

),

counted as (

    select answers.*
    from answers
    left join superseded_answers
        on answers.feedback_id = superseded_answers.feedback_id
    where superseded_answers.feedback_id is null

),

staged as (

    select
        counted.feedback_id,
        counted.customer_id,
        counted.metric,
        counted.scale_min,
        counted.scale_max,
        coalesce(counted.is_effort, false) as is_effort,
        counted.is_favourable,
        counted.score,
        counted.answered_date,
        counted.answered_month,
        counted.channel,
        counted.touchpoint,
        response_stages.journey_stage,
        coalesce(counted.segment, counted.customer_segment) as segment,
        counted.country,
        counted.language,
        counted.product,
        counted.source,
        coalesce(counted.survey_name, defined_surveys.survey_name, counted.survey_id) as survey
    from counted
    left join response_stages on counted.feedback_id = response_stages.feedback_id
    left join defined_surveys
        on
            counted.source = defined_surveys.source
            and counted.source_account = defined_surveys.source_account
            and counted.survey_id = defined_surveys.survey_id

)

select * from staged
