-- One row per organisation.
-- grain: source_id
-- canonical: accounts
with

raw as (

    select * from raw_zendesk__organizations

),

-- `["example.com","example.org"]`
listed as (

    select
        *,
        lower(replace(replace(replace(replace(domain_names, '[', ''), ']', ''), '"', ''), ' ', '')) as domains
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        organization_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        coalesce(is_deleted, false) or deleted_at is not null as is_deleted,
        name,
        lower(first_domain) as domain,
        nullif(replace(substr(domains, length(first_domain) + 2), ',', ';'), '') as additional_domains,
        external_id,
        created_at
    from listed

)

select * from mapped
