-- One row per customer of the programme; the balance is what it was when exported.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_smile__customers

),

mapped as (

    select
        record_id,
        attributes,
        customer_id as source_id,
        customer_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        email,
        first_name,
        last_name,
        lower(state) as segment,
        case when birth_date >= date '1900-01-01' then birth_date end as birth_date,
        loyalty_tier,
        points_balance as loyalty_points,
        created_at
    from raw

)

select * from mapped
