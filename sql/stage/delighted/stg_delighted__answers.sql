-- One row per additional answer of a response.
-- grain: source_id
-- canonical: survey_answers
with

raw as (

    select * from raw_delighted__survey_responses__answers

),

mapped as (

    select
        record_id,
        response_id || ':' || coalesce(question_id, cast(place as string)) as source_id,
        coalesce(updated_at, created_at) as source_updated_at,
        extracted_at,
        person_id as customer_source_id,
        response_id as response_group_id,
        question_id,
        cast(1 as bigint) as place,
        question_text,
        case
            when scale is not null then 'number'
            when question_type like 'select%' then 'choice'
            else 'text'
        end as answer_type,
        free_text as value_text,
        scale as value_number,
        created_at as answered_at
    from raw
    where free_text is not null or scale is not null

)

select * from mapped
