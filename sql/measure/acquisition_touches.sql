-- One row per customer with a known first touch: their earliest click, visit, reply or conversion, or the earliest record of them that names a channel.
-- grain: customer_id
with

keys as (

    select
        identity_key,
        customer_id
    from identity_keys

),

touches as (

    select
        identity_key,
        touch_id as event_id,
        occurred_at,
        occurred_date,
        channel,
        click_id_type,
        lower(utm_source) as utm_source,
        replace(replace(lower(utm_medium), '-', '_'), ' ', '_') as utm_medium
    from current_campaign_touches
    where
        occurred_at is not null
        and not is_test
        and not coalesce(is_bot, false)
        and action in ('clicked', 'visited', 'replied', 'converted')

),

-- Channels are named as what they cost is, where they cost something.
named as (

    select
        identity_key,
        event_id,
        occurred_at,
        occurred_date,
        case
            when click_id_type in ('gclid', 'msclkid') then 'paid_search'
            when
                click_id_type = 'li_fat_id'
                or (click_id_type = 'fbclid' and utm_medium not in ('social', 'organic_social', 'organic', 'referral', 'email'))
                then 'paid_social'
            when
                utm_medium in ('cpc', 'ppc', 'paid', 'cpm')
                and utm_source in ('facebook', 'fb', 'instagram', 'ig', 'meta', 'linkedin', 'tiktok', 'pinterest', 'snapchat', 'twitter', 'x')
                then 'paid_social'
            when click_id_type = 'fbclid' then 'organic_social'
            when utm_medium in ('cpc', 'ppc', 'paid', 'paidsearch', 'paid_search', 'sem') then 'paid_search'
            when utm_medium in ('paidsocial', 'paid_social', 'social_paid') then 'paid_social'
            when utm_medium in ('display', 'banner', 'cpm', 'programmatic') then 'display'
            when utm_medium = 'email' or channel = 'email' then 'email'
            when utm_medium in ('social', 'organic_social') then 'organic_social'
            when utm_medium = 'organic' then 'organic_search'
            when utm_medium in ('affiliate', 'referral') then utm_medium
            when channel = 'ads' then 'other'
            when channel = 'web' and utm_source is null then 'direct'
            when channel = 'web' then 'other'
            else channel
        end as channel
    from touches

),

records as (

    select
        identity_key,
        contact_id as event_id,
        created_at as occurred_at,
        created_date as occurred_date,
        acquisition_channel as channel
    from current_contacts
    where created_at is not null and not is_test

),

all_touches as (

    select * from named
    union all
    select * from records

),

known as (

    select
        keys.customer_id,
        all_touches.channel,
        all_touches.occurred_date as touched_on,
        row_number() over (
            partition by keys.customer_id
            order by all_touches.occurred_at asc nulls first, all_touches.event_id asc nulls first
        ) as place
    from all_touches
    inner join keys on all_touches.identity_key = keys.identity_key
    where all_touches.channel is not null

)

select
    customer_id,
    channel,
    touched_on
from known
where place = 1
