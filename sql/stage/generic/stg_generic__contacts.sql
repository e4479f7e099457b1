-- One row per person.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_generic__contacts

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        -- A list of people need not say twice how it names them.
        coalesce(customer_source_id, source_id) as customer_source_id,
        email,
        phone,
        external_id,
        anonymous_id,
        first_name,
        last_name,
        full_name,
        company_name,
        upper(country) as country,
        lower(language) as language,
        city,
        postal_code,
        lower(lifecycle_stage) as lifecycle_stage,
        segment,
        acquisition_channel,
        email_consent,
        email_consent_at,
        is_internal,
        created_at
    from raw

)

select * from mapped
