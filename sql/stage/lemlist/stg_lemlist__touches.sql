-- One row per thing that happened between a campaign and a person.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_lemlist__activities

),

-- What the vendor calls paused, skipped, interested and the like is a state of its own list.
named as (

    select
        *,
        case
            when type like 'emails%' then 'email'
            when type like 'linkedin%' then 'linkedin'
            when type like 'sms%' then 'sms'
            else 'other'
        end as channel,
        case
            when type in ('emailsSent', 'linkedinSent', 'linkedinInviteDone', 'smsSent') then 'sent'
            when type = 'linkedinVoiceNoteDone' then 'sent'
            when type = 'smsDelivered' then 'delivered'
            when type in ('emailsOpened', 'linkedinOpened') then 'opened'
            when type in ('emailsClicked', 'smsClicked') then 'clicked'
            when type in ('emailsReplied', 'linkedinReplied', 'smsReplied') then 'replied'
            when type in ('emailsBounced', 'emailsFailed', 'smsFailed') then 'bounced'
            when type = 'emailsUnsubscribed' then 'unsubscribed'
            when type in ('meetingBooked', 'linkedinInviteAccepted') then 'converted'
        end as action
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        activity_id as source_id,
        extracted_at,
        coalesce(contact_id, lead_id) as customer_source_id,
        case when email like '%@%' then email end as email,
        phone,
        case
            when linkedin_url like '%/in/%'
                then
                    'linkedin:'
                    || split_part(split_part(split_part(lower(linkedin_url), '/in/', 2), '/', 1), '?', 1)
        end as social_handle,
        channel,
        campaign_id as campaign_source_id,
        campaign_name,
        action,
        is_bot,
        created_at as occurred_at
    from named
    where action is not null

)

select * from mapped
