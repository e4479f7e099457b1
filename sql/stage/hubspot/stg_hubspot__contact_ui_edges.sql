-- One row per id that was merged into a contact of an export by hand.
-- grain: source_id
-- canonical: identity_edges
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
        length(merged_ids) - length(replace(merged_ids, ';', '')) + 1 as count_ids
    from raw
    where merged_ids is not null

),

split as (

    select
        counted.*,
        places.place,
        trim(split_part(counted.merged_ids, ';', places.place)) as merged_id
    from counted
    inner join places on places.place <= counted.count_ids

),

mapped as (

    select distinct
        record_id,
        contact_id || ':merge:' || merged_id as source_id,
        updated_at as source_updated_at,
        'crm_id' as left_type,
        'hubspot:' || account as left_namespace,
        contact_id as left_value,
        'crm_id' as right_type,
        'hubspot:' || account as right_namespace,
        merged_id as right_value,
        'merge' as kind,
        case when place = 256 and count_ids > 256 then 'too_many_values' end as reject_rule
    from split
    where merged_id <> '' and merged_id <> contact_id

)

select * from mapped
