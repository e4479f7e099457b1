-- One row per contact that belongs to an account.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_salesforce__contacts
    where account_id is not null

),

mapped as (

    select
        record_id,
        -- The main account of a contact is one: another one takes its place.
        contact_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        contact_id as customer_source_id,
        account_id as account_source_id,
        job_title as role,
        true as is_primary,
        created_at as valid_from
    from raw

)

select * from mapped
