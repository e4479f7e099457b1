-- One row per response; edits keep its id.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_delighted__survey_responses

),

scaled as (

    select
        *,
        case
            when survey_type in ('nps', 'csat', 'ces', 'enps') then survey_type
            when survey_type in ('star5', 'starts5', 'stars5') then 'star'
            when survey_type in ('smiley', 'smileys', 'thumbs') then 'csat'
            else 'other'
        end as metric,
        case
            when survey_type in ('nps', 'enps', 'thumbs') then cast(0 as decimal(18, 4))
            when survey_type in ('csat', 'ces', 'star5', 'starts5', 'stars5', 'smiley', 'smileys', 'pmf')
                then cast(1 as decimal(18, 4))
        end as scale_min,
        case
            when survey_type in ('nps', 'enps') then cast(10 as decimal(18, 4))
            when survey_type = 'csat' then csat_scale_max
            when survey_type = 'ces' then ces_scale_max
            when survey_type in ('star5', 'starts5', 'stars5', 'smiley', 'smileys')
                then cast(5 as decimal(18, 4))
            when survey_type = 'pmf' then cast(3 as decimal(18, 4))
            when survey_type = 'thumbs' then cast(1 as decimal(18, 4))
        end as scale_max
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        response_id as source_id,
        response_id as response_group_id,
        coalesce(updated_at, created_at) as source_updated_at,
        extracted_at,
        person_id as customer_source_id,
        external_id,
        email,
        phone,
        survey_type as survey_name,
        metric,
        scale_min,
        scale_max,
        score,
        comment as comment_text,
        case
            when lower(delighted_source) in ('email', 'web', 'sms') then lower(delighted_source)
            when delighted_source is not null then 'other'
        end as channel,
        touchpoint,
        case when score is not null then 'answered' else 'partial' end as status,
        replace(order_id, '#', '') as order_source_id,
        -- Sent again since: it is not what this response answers.
        case when last_sent_at <= created_at then last_sent_at end as asked_at,
        created_at as answered_at,
        case when score < scale_min or score > scale_max then 'off_scale' end as reject_rule,
        'score' as reject_column,
        cast(score as string) as reject_text
    from scaled

)

select * from mapped
