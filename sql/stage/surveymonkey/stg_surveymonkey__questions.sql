-- One row per question of a survey's definition.
-- grain: source_id
-- canonical: survey_questions
with

raw as (

    select * from raw_surveymonkey__survey_details

),

mapped as (

    select
        record_id,
        attributes,
        survey_id || ':' || question_id as source_id,
        updated_at as source_updated_at,
        survey_id,
        survey_name,
        question_id,
        heading as question_text,
        coalesce(family, '') || coalesce(':' || subtype, '') as question_type
    from raw
    where question_id is not null

)

select * from mapped
