-- One row per field that stands in a group of a form.
-- grain: source_id
-- canonical: survey_questions
with

raw as (

    select * from raw_typeform__forms__grouped

),

mapped as (

    select
        record_id,
        form_id || ':' || field_id as source_id,
        updated_at as source_updated_at,
        form_id as survey_id,
        survey_name,
        field_id as question_id,
        field_title as question_text,
        field_type as question_type,
        -- A rating has 1 to so many; an opinion scale begins at 0 unless it says 1.
        case
            when field_type = 'nps' then cast(0 as decimal(18, 4))
            when field_type = 'rating' and steps is not null then cast(1 as decimal(18, 4))
            when field_type = 'opinion_scale' and steps is not null
                then cast(case when starts_at_one then 1 else 0 end as decimal(18, 4))
        end as scale_min,
        case
            when field_type = 'nps' then cast(10 as decimal(18, 4))
            when field_type = 'rating' then cast(steps as decimal(18, 4))
            when field_type = 'opinion_scale'
                then cast(case when starts_at_one then steps else steps - 1 end as decimal(18, 4))
        end as scale_max
    from raw
    where field_id is not null

)

select * from mapped
