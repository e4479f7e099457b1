-- One row per label that was ticked.
-- grain: source_id
-- canonical: survey_answers
with

raw as (

    select * from raw_typeform__responses__choices

),

mapped as (

    select
        record_id,
        token || ':' || field_id || ':' || label as source_id,
        coalesce(submitted_at, landed_at) as source_updated_at,
        extracted_at,
        external_id,
        hidden_email as email,
        hidden_phone as phone,
        token as response_group_id,
        form_id as survey_id,
        field_id as question_id,
        row_number() over (partition by record_id, field_id order by place asc nulls last) as place,
        field_title as question_text,
        'choice' as answer_type,
        label as value_text,
        submitted_at as answered_at
    from raw

)

select * from mapped
