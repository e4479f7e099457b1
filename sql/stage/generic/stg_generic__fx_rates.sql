-- One row per day and pair of currencies.
-- grain: source_id
-- canonical: fx_rates
with

raw as (

    select * from raw_generic__fx_rates

),

mapped as (

    select
        record_id,
        attributes,
        cast(rate_date as string) || ':' || upper(from_currency) || ':' || upper(to_currency) as source_id,
        is_deleted,
        rate_date,
        upper(from_currency) as from_currency,
        upper(to_currency) as to_currency,
        rate
    from raw

)

select * from mapped
