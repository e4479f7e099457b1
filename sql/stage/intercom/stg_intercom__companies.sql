-- One row per company.
-- grain: source_id
-- canonical: accounts
with

raw as (

    select * from raw_intercom__companies

),

mapped as (

    select
        record_id,
        attributes,
        company_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        name,
        -- without scheme and `www.`
        nullif(
            replace(
                split_part(replace(replace(lower(website), 'https://', ''), 'http://', ''), '/', 1),
                'www.', ''
            ),
            ''
        ) as domain,
        -- Intercom makes up an id where it has none.
        case
            when external_id not like '%-qualification-company' then external_id
        end as external_id,
        industry,
        size as employees,
        plan as segment,
        created_at
    from raw

)

select * from mapped
