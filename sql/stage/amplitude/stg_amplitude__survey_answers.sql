-- One row per event that the job says answers a survey.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_amplitude__events

),

mapped as (

    select
        record_id,
        case
            when uuid is not null then uuid
            else insert_id || ':' || coalesce(device_id, '') || ':' || coalesce(amplitude_id, '')
        end as source_id,
        coalesce(uuid, insert_id) as response_group_id,
        uploaded_at as source_updated_at,
        amplitude_id as customer_source_id,
        -- The user id is whatever the app says: often an address.
        case when user_id like '%@%' then null else user_id end as external_id,
        coalesce(email, case when user_id like '%@%' then user_id end) as email,
        event_type as survey_id,
        event_type as survey_name,
        survey_metric as metric,
        survey_scale_min as scale_min,
        survey_scale_max as scale_max,
        score,
        comment as comment_text,
        'in_app' as channel,
        event_type as touchpoint,
        case when score is null then 'unanswered' else 'answered' end as status,
        event_time as answered_at,
        case
            when score < survey_scale_min or score > survey_scale_max then 'off_scale'
        end as reject_rule,
        'score' as reject_column,
        cast(score as string) as reject_text
    from raw
    where event_type = survey_event and event_time is not null

)

select * from mapped
