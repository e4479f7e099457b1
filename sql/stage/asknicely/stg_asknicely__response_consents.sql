-- One row per contact that wants no more surveys, and per answer that may be published.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_asknicely__responses

),

purposes (purpose) as (

    values ('survey'), ('publication')

),

mapped as (

    select
        record_id,
        case
            when purposes.purpose = 'survey' then contact_id || ':survey'
            else response_id || ':publication'
        end as source_id,
        contact_id as customer_source_id,
        email,
        purposes.purpose as purpose,
        case when purposes.purpose = 'survey' then 'email' end as channel,
        case when purposes.purpose = 'survey' then 'withdrawn' else 'granted' end as state,
        purposes.purpose <> 'survey' or dont_contact_at is null as is_snapshot,
        case when purposes.purpose = 'survey' then dont_contact_at end as effective_at
    from raw
    cross join purposes
    where
        (purposes.purpose = 'survey' and dont_contact is not null and contact_id is not null)
        or (purposes.purpose = 'publication' and is_published)

)

select * from mapped
