-- One row per user; one that was deleted, or merged into another, is no longer active.
-- grain: source_id
-- canonical: contacts
with

raw as (

    select * from raw_zendesk__users

),

mapped as (

    select
        record_id,
        attributes,
        user_id as source_id,
        user_id as customer_source_id,
        updated_at as source_updated_at,
        extracted_at,
        coalesce(is_deleted, false)
        or not coalesce(is_active, true)
        or coalesce(is_permanently_deleted, false) as is_deleted,
        email,
        phone,
        external_id,
        name as full_name,
        lower(substr(locale, 1, 2)) as language,
        coalesce(role, 'end-user') <> 'end-user' as is_internal,
        organization_id as account_source_id,
        is_verified as is_email_verified,
        last_login_at as last_seen_at,
        created_at
    from raw

)

select * from mapped
