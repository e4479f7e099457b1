-- One row per campaign, day, device and network.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_google_ads__campaign_stats

),

mapped as (

    select
        record_id,
        attributes,
        coalesce(ad_account, '') || ':' || campaign_id || ':' || cast(cost_date as string)
        || ':' || coalesce(device, '') || ':' || coalesce(network, '') as source_id,
        extracted_at,
        is_deleted,
        cost_date,
        case
            when network like 'SEARCH%' or network is null then 'paid_search'
            when network = 'CONTENT' then 'display'
            else 'other'
        end as channel,
        'google' as platform,
        ad_account,
        campaign_id as campaign_source_id,
        campaign_name,
        impressions,
        clicks,
        cast(
            cast(cost_micros as decimal(18, 0)) * cast('0.000001' as decimal(6, 6))
            as decimal(18, 4)
        ) as cost,
        upper(coalesce(currency, default_currency)) as currency,
        conversions,
        is_cost_of_record
    from raw

)

select * from mapped
