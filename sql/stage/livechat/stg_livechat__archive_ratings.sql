-- One row per rating of a thread: thumbs up is 1, down is 0. It has no time of its own, so the thread's last event dates it.
-- grain: source_id
-- canonical: survey_responses
with

raw as (

    select * from raw_livechat__archives

),

named as (

    select
        *,
        case
            when event_id is null then null
            when event_type = 'system_message' or author_id is null then 'system'
            when ';' || bot_ids || ';' like '%;' || author_id || ';%' then 'bot'
            -- Agents are their addresses, customers are UUIDs.
            when author_id like '%@%' then 'agent'
            when author_id like '________-____-____-____-____________' then 'customer'
            else 'bot'
        end as author_kind
    from raw

),

gathered as (

    select
        min(record_id) as record_id,
        thread_id,
        max(customer_id) as customer_id,
        max(email) as email,
        -- An agent's last word; a note is none.
        max(case when author_kind = 'agent' and coalesce(visibility, 'all') = 'all' then author_id end) as agent_id,
        max(case when author_kind = 'bot' then author_id end) as bot_id,
        max(created_at) as created_at,
        max(sent_at) as last_event_at,
        max(case when is_active then 1 else 0 end) as open_count,
        max(tags) as tags,
        max(rating) as rating,
        max(rating_comment) as rating_comment
    from named
    group by record_id, thread_id

),

mapped as (

    select
        record_id,
        thread_id as source_id,
        thread_id as response_group_id,
        last_event_at as source_updated_at,
        customer_id as customer_source_id,
        email,
        'rating' as question_id,
        'csat' as metric,
        cast(0 as decimal(18, 4)) as scale_min,
        cast(1 as decimal(18, 4)) as scale_max,
        cast(rating as decimal(18, 4)) as score,
        case rating when 1 then 'good' else 'bad' end as score_label,
        rating_comment as comment_text,
        'chat' as channel,
        'support' as touchpoint,
        'answered' as status,
        thread_id as conversation_source_id,
        coalesce(last_event_at, created_at) as answered_at,
        agent_id as agent,
        case when rating not in (0, 1) then 'off_scale' end as reject_rule,
        'rating' as reject_column,
        cast(rating as string) as reject_text
    from gathered
    where rating is not null

)

select * from mapped
