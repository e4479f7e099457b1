-- One row per day and campaign.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_generic__acquisition_costs

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        cost_date,
        channel,
        lower(platform) as platform,
        ad_account,
        campaign_source_id,
        campaign_name,
        impressions,
        clicks,
        cost,
        upper(coalesce(currency, default_currency)) as currency,
        conversions,
        coalesce(is_cost_of_record, true) as is_cost_of_record,
        case when coalesce(currency, default_currency) is null then 'missing_currency' end as reject_rule,
        'currency' as reject_column
    from raw

)

select * from mapped
