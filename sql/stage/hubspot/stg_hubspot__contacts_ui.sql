-- One row per contact of an export by hand.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_hubspot__contacts_ui

),

mapped as (

    select
        record_id,
        attributes,
        contact_id as source_id,
        contact_id as customer_source_id,
        updated_at as source_updated_at,
        email,
        phone,
        first_name,
        last_name,
        company as company_name,
        -- `Marketing Qualified Lead` is the label of `marketingqualifiedlead`.
        replace(lower(lifecycle_stage), ' ', '') as lifecycle_stage,
        case when is_opted_out then 'withdrawn' end as email_consent,
        created_at,
        nullif(trim(split_part(company_ids, ';', 1)), '') as account_source_id
    from raw

)

select * from mapped
