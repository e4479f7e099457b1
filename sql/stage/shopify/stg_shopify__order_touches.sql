-- One row per order whose visit came from a campaign.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_shopify__orders
    where coalesce(line_index, 1) = 1

),

read_from as (

    select
        *,
        nullif(split_part(split_part(landing_site, 'utm_source=', 2), '&', 1), '') as utm_source,
        nullif(split_part(split_part(landing_site, 'utm_medium=', 2), '&', 1), '') as utm_medium,
        nullif(split_part(split_part(landing_site, 'utm_campaign=', 2), '&', 1), '') as utm_campaign,
        nullif(split_part(split_part(landing_site, 'utm_term=', 2), '&', 1), '') as utm_term,
        nullif(split_part(split_part(landing_site, 'utm_content=', 2), '&', 1), '') as utm_content,
        case
            when landing_site like '%gclid=%' then 'gclid'
            when landing_site like '%fbclid=%' then 'fbclid'
            when landing_site like '%msclkid=%' then 'msclkid'
            when landing_site like '%li_fat_id=%' then 'li_fat_id'
        end as click_id_type
    from raw

),

mapped as (

    select
        record_id,
        order_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        is_test,
        customer_id as customer_source_id,
        coalesce(email, customer_email) as email,
        coalesce(phone, customer_phone) as phone,
        'web' as channel,
        'visited' as action,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_term,
        utm_content,
        click_id_type,
        nullif(split_part(split_part(landing_site, click_id_type || '=', 2), '&', 1), '') as click_id,
        landing_site as page_url,
        -- The visit was before; its own time is not told.
        coalesce(processed_at, created_at) as occurred_at
    from read_from
    where utm_source is not null or utm_medium is not null or utm_campaign is not null or click_id_type is not null

)

select * from mapped
