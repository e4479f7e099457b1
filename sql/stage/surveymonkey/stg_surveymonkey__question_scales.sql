-- One row per question of a survey's definition whose choices have weights.
-- grain: source_id
-- canonical: survey_questions
with

raw as (

    select * from raw_surveymonkey__survey_details__choices

),

weighed as (

    select
        record_id,
        survey_id,
        question_id,
        updated_at,
        min(weight) as least,
        max(weight) as greatest
    from raw
    where weight is not null and question_id is not null
    group by record_id, survey_id, question_id, updated_at

),

mapped as (

    select
        record_id,
        survey_id || ':' || question_id || ':scale' as source_id,
        updated_at as source_updated_at,
        survey_id,
        question_id,
        least as scale_min,
        greatest as scale_max
    from weighed

)

select * from mapped
