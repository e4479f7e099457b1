-- One row per campaign that has a cost: all of it on the day it starts.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_salesforce__campaigns
    where cost is not null

),

mapped as (

    select
        record_id,
        attributes,
        campaign_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        start_date as cost_date,
        'other' as channel,
        'salesforce' as platform,
        campaign_id as campaign_source_id,
        name as campaign_name,
        cost,
        upper(coalesce(currency, default_currency)) as currency,
        is_cost_of_record,
        case when start_date is null then 'missing_required' end as reject_rule,
        'start_date' as reject_column
    from raw

)

select * from mapped
