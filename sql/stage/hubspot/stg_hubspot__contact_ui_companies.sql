-- One row per contact and company of it in an export by hand; the first is the main one.
-- grain: source_id
-- canonical: account_members
with

raw as (

    select * from raw_hubspot__contacts_ui

),

digits (digit) as (

    values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15)

),

places as (

    select ones.digit + sixteens.digit * 16 + 1 as place
    from digits as ones
    cross join digits as sixteens

),

counted as (

    select
        *,
        length(company_ids) - length(replace(company_ids, ';', '')) + 1 as count_ids
    from raw
    where company_ids is not null

),

split as (

    select
        counted.*,
        places.place,
        trim(split_part(counted.company_ids, ';', places.place)) as company_id
    from counted
    inner join places on places.place <= counted.count_ids

),

mapped as (

    select
        record_id,
        contact_id || ':' || company_id as source_id,
        updated_at as source_updated_at,
        contact_id as customer_source_id,
        email,
        company_id as account_source_id,
        place = 1 as is_primary,
        case when place = 256 and count_ids > 256 then 'too_many_values' end as reject_rule
    from split
    where company_id <> ''

)

select * from mapped
