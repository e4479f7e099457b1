-- One row per campaign and day.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_hootsuite__ad_daily_metrics

),

mapped as (

    select
        record_id,
        attributes,
        ad_account || ':' || campaign_id || ':' || cast(cost_date as string) as source_id,
        cost_date,
        'paid_social' as channel,
        case when platform = 'FACEBOOK' then 'facebook' else 'other' end as platform,
        ad_account,
        campaign_id as campaign_source_id,
        impressions,
        clicks,
        spend as cost,
        upper(currency) as currency,
        conversions,
        cost_of_record as is_cost_of_record,
        case when currency is null then 'missing_currency' end as reject_rule,
        'currency' as reject_column
    from raw

)

select * from mapped
