-- One row per message and thing that happened to it first.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_intercom__content_export

),

actions (action) as (

    values
    ('sent'),
    ('opened'),
    ('clicked'),
    ('replied'),
    ('converted'),
    ('unsubscribed'),
    ('bounced')

),

dated as (

    select
        raw.*,
        actions.action,
        case actions.action
            when 'sent' then raw.received_at
            when 'opened' then raw.opened_at
            when 'clicked' then raw.clicked_at
            when 'replied' then raw.replied_at
            when 'converted' then raw.goal_at
            when 'unsubscribed' then raw.unsubscribed_at
            else raw.bounced_at
        end as occurred_at
    from raw
    cross join actions

),

mapped as (

    select
        record_id,
        attributes,
        receipt_id || ':' || action as source_id,
        contact_id as customer_source_id,
        external_id,
        email,
        case
            when lower(content_type) = 'email' then 'email'
            when lower(content_type) = 'sms' then 'sms'
            when lower(content_type) = 'push' then 'push'
            when content_type is not null then 'in_app'
        end as channel,
        coalesce(series_id, content_id) as campaign_source_id,
        coalesce(series_title, content_title) as campaign_name,
        action,
        occurred_at
    from dated
    where occurred_at is not null

)

select * from mapped
