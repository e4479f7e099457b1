-- One row per choice that was ticked in an additional answer.
-- grain: source_id
-- canonical: survey_answers
with

raw as (

    select * from raw_delighted__survey_responses__choices

),

mapped as (

    select
        record_id,
        response_id || ':' || question_id || ':' || coalesce(choice_id, choice) as source_id,
        coalesce(updated_at, created_at) as source_updated_at,
        extracted_at,
        person_id as customer_source_id,
        response_id as response_group_id,
        question_id,
        choice_id as sub_id,
        row_number() over (partition by record_id, question_id order by place asc nulls last) as place,
        question_text,
        'choice' as answer_type,
        choice as value_text,
        created_at as answered_at
    from raw

)

select * from mapped
