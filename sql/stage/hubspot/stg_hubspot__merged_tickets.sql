-- One row per ticket that was merged into another: gone, as the one that stays says.
-- grain: source_id
-- canonical: conversations
with

raw as (

    select * from raw_hubspot__tickets

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

    select
        record_id,
        merged_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        true as is_deleted,
        case when place = 256 and count_ids > 256 then 'too_many_values' end as reject_rule
    from split
    where merged_id <> '' and merged_id <> ticket_id

)

select * from mapped
