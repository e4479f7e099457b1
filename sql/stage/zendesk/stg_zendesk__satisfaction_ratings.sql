-- One row per rating that was offered, answered or not.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_zendesk__satisfaction_ratings

),

scored as (

    select
        *,
        case
            when score like 'good%' then cast(1 as decimal(18, 4))
            when score like 'bad%' then cast(0 as decimal(18, 4))
        end as answer
    from raw
    where score <> 'unoffered'

),

mapped as (

    select
        record_id,
        attributes,
        rating_id as source_id,
        rating_id as response_group_id,
        updated_at as source_updated_at,
        extracted_at,
        requester_id as customer_source_id,
        ticket_id as conversation_source_id,
        'csat' as metric,
        cast(0 as decimal(18, 4)) as scale_min,
        cast(1 as decimal(18, 4)) as scale_max,
        answer as score,
        case when answer is not null then score end as score_label,
        comment as comment_text,
        'support' as touchpoint,
        assignee_id as agent,
        case when answer is null then 'unanswered' else 'answered' end as status,
        created_at as asked_at,
        case when answer is not null then coalesce(updated_at, created_at) end as answered_at
    from scored

)

select * from mapped
