-- One row per feedback with the mean that the vendor makes of its answers.
-- grain: source_id
-- canonical: survey_answers
with

raw as (

    select * from raw_feedier__feedback

),

mapped as (

    select
        record_id,
        feedback_id || ':satisfaction_ratio' as source_id,
        feedback_id as response_group_id,
        customer_id as external_id,
        email,
        phone,
        carrier_id as survey_id,
        'satisfaction_ratio' as question_id,
        -- A mean over the answers, in percent, and so no score of one.
        'number' as answer_type,
        satisfaction_ratio as value_number,
        coalesce(completed_at, created_at) as answered_at
    from raw
    where satisfaction_ratio is not null and coalesce(answer_place, 1) = 1

)

select * from mapped
