-- One row per interaction that cost something.
-- grain: source_id
-- canonical: acquisition_costs
with

raw as (

    select * from raw_sas_ci360__abt_attribution

),

mapped as (

    select
        record_id,
        attributes,
        interaction_id as source_id,
        cast(interaction_dttm as date) as cost_date,
        'other' as channel,
        'other' as platform,
        task_id as campaign_source_id,
        interaction as campaign_name,
        interaction_cost as cost,
        upper(currency) as currency,
        cost_of_record as is_cost_of_record,
        case when currency is null then 'missing_currency' end as reject_rule,
        'currency' as reject_column
    from raw
    where interaction_cost is not null

)

select * from mapped
