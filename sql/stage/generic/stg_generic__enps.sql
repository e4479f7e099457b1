-- One row per answer of an employee.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_generic__enps

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        source_id as response_group_id,
        survey_id,
        survey_name,
        question_text,
        'enps' as metric,
        cast(0 as decimal(18, 4)) as scale_min,
        cast(10 as decimal(18, 4)) as scale_max,
        score,
        comment_text,
        lower(language) as language,
        upper(country) as country,
        lower(channel) as channel,
        segment,
        case
            when score is not null then 'answered'
            when answered_at is not null then 'partial'
            else 'unanswered'
        end as status,
        asked_at,
        answered_at,
        case
            when score < cast(0 as decimal(18, 4)) or score > cast(10 as decimal(18, 4)) then 'off_scale'
        end as reject_rule,
        'score' as reject_column,
        cast(score as string) as reject_text
    from raw

)

select * from mapped
