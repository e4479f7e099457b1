-- One row per question of a survey.
-- grain: source_id
-- canonical: survey_questions
with

raw as (

    select * from raw_qualtrics__questions

),

mapped as (

    select
        record_id,
        attributes,
        survey_id || ':' || question_id as source_id,
        extracted_at,
        is_deleted,
        survey_id,
        survey_name,
        question_id,
        question_text,
        question_type || coalesce(':' || selector, '') as question_type,
        case when upper(selector) = 'NPS' then cast(0 as decimal(18, 4)) end as scale_min,
        case when upper(selector) = 'NPS' then cast(10 as decimal(18, 4)) end as scale_max
    from raw

)

select * from mapped
