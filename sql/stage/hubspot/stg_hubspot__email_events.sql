-- One row per thing that happened to a mail.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_hubspot__email_events

),

-- deferred and processed mails have not yet happened
named as (

    select
        *,
        case upper(type)
            when 'SENT' then 'sent'
            when 'DELIVERED' then 'delivered'
            when 'OPEN' then 'opened'
            when 'CLICK' then 'clicked'
            when 'REPLY' then 'replied'
            when 'BOUNCE' then 'bounced'
            when 'DROPPED' then 'bounced'
            when 'SPAMREPORT' then 'spam'
            when 'UNSUBSCRIBED' then 'unsubscribed'
            when 'STATUSCHANGE'
                then
                    case
                        when coalesce(is_bounced, false) then 'bounced'
                        when upper(subscription_status) = 'UNSUBSCRIBED' then 'unsubscribed'
                    end
        end as action
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        event_id as source_id,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        is_filtered as is_test,
        recipient as email,
        'email' as channel,
        campaign_id as campaign_source_id,
        action,
        is_filtered as is_bot,
        url as page_url,
        created_at as occurred_at
    from named
    where action is not null

)

select * from mapped
