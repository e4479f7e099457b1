-- One row per campaign and day.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_linkedin_ads__ad_analytics_by_campaign

),

-- the export does not say which currency is the local one
priced as (

    select
        *,
        case when default_currency is not null or cost_usd is null then cost_local else cost_usd end
            as cost,
        case
            when default_currency is not null then upper(default_currency)
            when cost_usd is not null then 'USD'
        end as currency
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        campaign_id || ':' || cast(cost_date as string) as source_id,
        extracted_at,
        is_deleted,
        cost_date,
        'paid_social' as channel,
        'linkedin' as platform,
        ad_account,
        campaign_id as campaign_source_id,
        campaign_name,
        impressions,
        clicks,
        cost,
        currency,
        conversions,
        is_cost_of_record,
        case when cost is null then 'missing_required' end as reject_rule,
        'cost_in_local_currency' as reject_column
    from priced

)

select * from mapped
