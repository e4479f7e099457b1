-- One row per campaign, day, device and network of a report.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_google_ads__campaigns_ui

),

mapped as (

    select
        record_id,
        attributes,
        coalesce(replace(ad_account, '-', ''), '') || ':' || coalesce(campaign_id, campaign_name)
        || ':' || cast(cost_date as string)
        || ':' || coalesce(device, '') || ':' || coalesce(network, '') as source_id,
        cost_date,
        case
            when lower(network) like '%search%' or network is null then 'paid_search'
            when lower(network) like '%display%' then 'display'
            else 'other'
        end as channel,
        'google' as platform,
        replace(ad_account, '-', '') as ad_account,
        campaign_id as campaign_source_id,
        campaign_name,
        cast(impressions as bigint) as impressions,
        cast(clicks as bigint) as clicks,
        cost,
        upper(coalesce(currency, default_currency)) as currency,
        conversions,
        is_cost_of_record
    from raw

)

select * from mapped
