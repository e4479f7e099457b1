-- One row per ad and day.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_facebook_ads__basic_ad

),

mapped as (

    select
        record_id,
        attributes,
        ad_id || ':' || cast(cost_date as string) as source_id,
        extracted_at,
        is_deleted,
        cost_date,
        'paid_social' as channel,
        'facebook' as platform,
        ad_account,
        -- The table of ads names its campaign only where it was joined.
        coalesce(campaign_id, ad_id) as campaign_source_id,
        campaign_name,
        impressions,
        clicks,
        cost,
        upper(coalesce(currency, default_currency)) as currency,
        is_cost_of_record
    from raw

)

select * from mapped
