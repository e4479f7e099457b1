-- One row per user, as it says which organisation it belongs to.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_zendesk__users
    where organization_id is not null and coalesce(role, 'end-user') = 'end-user'

),

mapped as (

    select
        record_id,
        user_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        coalesce(is_deleted, false) or not coalesce(is_active, true) as is_deleted,
        user_id as customer_source_id,
        external_id,
        email,
        phone,
        organization_id as account_source_id,
        true as is_primary
    from raw

)

select * from mapped
