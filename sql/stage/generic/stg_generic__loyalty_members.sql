-- One row per change of points that tells the balance or tier after it; the newest counts.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_generic__loyalty_transactions

),

mapped as (

    select
        record_id,
        coalesce(customer_source_id, external_id, lower(email), phone) as source_id,
        coalesce(updated_at, occurred_at) as source_updated_at,
        is_test,
        customer_source_id,
        email,
        phone,
        external_id,
        tier as loyalty_tier,
        balance as loyalty_points
    from raw
    where
        (tier is not null or balance is not null)
        and coalesce(customer_source_id, external_id, email, phone) is not null

)

select * from mapped
